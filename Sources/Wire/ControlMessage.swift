/// A message of the control plane. Its kind stands in the frame header; the payload is protobuf (wire.proto).
package enum ControlMessage: Sendable, Equatable {
    case hello(Hello)
    case challenge(Challenge)
    case proof(Proof)
    case assignment(Assignment)
    case progress(LoadProgress)
    case ready(ReadyReport)
    case failure(FailureReport)
    case goodbye(Goodbye)
    case heartbeat
    case release(SlotRelease)
    case fetch(SliceRequest)
    case slice(SliceDescription)
    case read(SliceRange)

    /// Reads the payload of a frame of `kind`. Every field is held against its bound in `WireLimit`.
    package init(kind: FrameKind, payload: UnsafeRawBufferPointer) throws(ControlError) {
        switch kind {
        case .hello: self = .hello(try Hello(decoding: payload))
        case .challenge: self = .challenge(try Challenge(decoding: payload))
        case .proof: self = .proof(try Proof(decoding: payload))
        case .assignment: self = .assignment(try Assignment(decoding: payload))
        case .progress: self = .progress(try LoadProgress(decoding: payload))
        case .ready: self = .ready(try ReadyReport(decoding: payload))
        case .failure: self = .failure(try FailureReport(decoding: payload))
        case .goodbye: self = .goodbye(try Goodbye(decoding: payload))
        case .release: self = .release(try SlotRelease(decoding: payload))
        case .fetch: self = .fetch(try SliceRequest(decoding: payload))
        case .slice: self = .slice(try SliceDescription(decoding: payload))
        case .read: self = .read(try SliceRange(decoding: payload))
        case .heartbeat:
            guard payload.isEmpty else { throw .malformed(.heartbeat) }
            self = .heartbeat
        case .dispatch, .combine, .chunk: throw .notControl(kind)
        }
    }

    /// The payload. Throws when a field is over the bound that a receiver holds it against.
    package func encoded() throws(ControlError) -> [UInt8] {
        switch self {
        case .hello(let message): try message.encoded()
        case .challenge(let message): try message.encoded()
        case .proof(let message): try message.encoded()
        case .assignment(let message): try message.encoded()
        case .progress(let message): try message.encoded()
        case .ready(let message): try message.encoded()
        case .failure(let message): try message.encoded()
        case .goodbye(let message): try message.encoded()
        case .heartbeat: []
        case .release(let message): try message.encoded()
        case .fetch(let message): try message.encoded()
        case .slice(let message): try message.encoded()
        case .read(let message): try message.encoded()
        }
    }

    package var kind: FrameKind {
        switch self {
        case .hello: .hello
        case .challenge: .challenge
        case .proof: .proof
        case .assignment: .assignment
        case .progress: .progress
        case .ready: .ready
        case .failure: .failure
        case .goodbye: .goodbye
        case .heartbeat: .heartbeat
        case .release: .release
        case .fetch: .fetch
        case .slice: .slice
        case .read: .read
        }
    }
}
