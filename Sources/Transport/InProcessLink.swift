internal import Synchronization
package import Wire

/// One end of a link inside the process. Frames arrive in order, at once or after a delay that the pair's maker
/// decides for each, so that a simulation can seed it.
package final class InProcessLink: Link {
    /// How long a frame of so many bytes takes on its way from the named end.
    package typealias Delay = @Sendable (_ sender: String, _ byteCount: Int) -> Duration

    struct Arrival {
        let due: Instant
        let header: FrameHeader
        let payload: [UInt8]
    }

    private struct State {
        var arrivals: [Arrival] = []
        var lastDue = Instant(nanoseconds: 0)
        var closeReason: CloseReason?
        var maximumPayload = WireLimit.unauthenticatedPayload
        var counters = LinkCounters()
        var signal: (@Sendable () -> Void)?
    }

    /// The name of the other end.
    package let peer: String
    private let name: String
    private let time: any TimeSource
    private let delay: Delay
    private let state = Mutex(State())
    private let other = Mutex(Weak())

    private struct Weak {
        weak var link: InProcessLink?
    }

    private init(name: String, peer: String, time: any TimeSource, delay: @escaping Delay) {
        self.name = name
        self.peer = peer
        self.time = time
        self.delay = delay
    }

    deinit {
        other.withLock { $0.link }?.end(.peerClosed)
    }

    /// Two ends of one link, named for messages: frames sent on `first` arrive on `second` and the other way round.
    package static func pair(
        _ first: String, _ second: String, time: any TimeSource, delay: @escaping Delay = { _, _ in .zero }
    ) -> (InProcessLink, InProcessLink) {
        let left = InProcessLink(name: first, peer: second, time: time, delay: delay)
        let right = InProcessLink(name: second, peer: first, time: time, delay: delay)
        left.other.withLock { $0.link = right }
        right.other.withLock { $0.link = left }
        return (left, right)
    }

    package var maximumPayload: Int {
        get { state.withLock { $0.maximumPayload } }
        set { state.withLock { $0.maximumPayload = newValue } }
    }

    package var counters: LinkCounters { state.withLock { $0.counters } }

    package var closeReason: CloseReason? { state.withLock { $0.closeReason } }

    package func send(_ header: FrameHeader, _ segments: [UnsafeRawBufferPointer]) throws(TransportError) {
        let payload = segments.flatMap { Array($0) }
        precondition(payload.count == Int(header.payloadLength), "the payload is not what the header says")
        if let reason = closeReason { throw .closed(reason, place: peer) }
        guard let receiver = other.withLock({ $0.link }) else { throw .closed(.peerClosed, place: peer) }
        let byteCount = FrameHeader.byteCount + payload.count
        receiver.arrive(header, payload, due: time.now() + delay(name, byteCount))
        state.withLock { state in
            state.counters.framesOut += 1
            state.counters.bytesOut += UInt64(byteCount)
        }
    }

    package func close(_ reason: CloseReason) {
        end(reason)
        other.withLock { $0.link }?.end(.peerClosed)
    }

    private func arrive(_ header: FrameHeader, _ payload: [UInt8], due: Instant) {
        let signal = state.withLock { state in
            state.lastDue = max(state.lastDue, due)
            state.arrivals.append(Arrival(due: state.lastDue, header: header, payload: payload))
            return state.signal
        }
        signal?()
    }

    private func end(_ reason: CloseReason) {
        let signal = state.withLock { state in
            if state.closeReason == nil { state.closeReason = reason }
            return state.signal
        }
        signal?()
    }
}

// What the exchange that holds the link does with it.
extension InProcessLink {
    enum Look {
        case frame(Arrival)
        case closed(CloseReason)
        case nothing(until: Instant)
    }

    /// Sets what an arrival calls; nil when no exchange holds the link.
    func attach(_ signal: (@Sendable () -> Void)?) {
        state.withLock { $0.signal = signal }
    }

    /// Takes the next frame that is due. What was sent before the peer closed is delivered first.
    func next(at now: Instant) -> Look {
        state.withLock { state in
            if let reason = state.closeReason, reason != .peerClosed || state.arrivals.isEmpty {
                return .closed(reason)
            }
            guard let first = state.arrivals.first else { return .nothing(until: .never) }
            guard first.due <= now else { return .nothing(until: first.due) }
            guard first.payload.count <= state.maximumPayload else {
                return .closed(
                    .badFrame(.tooLong(byteCount: first.header.payloadLength, limit: state.maximumPayload)))
            }
            state.arrivals.removeFirst()
            state.counters.framesIn += 1
            state.counters.bytesIn += UInt64(FrameHeader.byteCount + first.payload.count)
            return .frame(first)
        }
    }
}
