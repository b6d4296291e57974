package import Wire

/// A connection to one peer that carries frames both ways, in order. Sending and closing are for any thread; receiving
/// is for the exchange that holds the link.
package protocol Link: AnyObject, Sendable {
    /// The peer's address, for messages.
    var peer: String { get }

    /// The longest payload that the peer may send; a longer one closes the link. Small until the peer has proved the
    /// secret (`WireLimit.unauthenticatedPayload`), then raised.
    var maximumPayload: Int { get set }

    var counters: LinkCounters { get }

    /// Nil while the link is open.
    var closeReason: CloseReason? { get }

    /// Sends one frame whose payload is `segments` one after another. Never blocks: what the system does not take at
    /// once is copied and sent by the exchange that holds the link. The payload must be as long as the header says.
    /// - Throws: `.closed`, or `.congested` when the peer has not taken what was sent before; nothing was sent then.
    func send(_ header: FrameHeader, _ segments: [UnsafeRawBufferPointer]) throws(TransportError)

    /// Lets tensor frames' payloads go through this memory, both ways, as soon as the peer has opened it too; a payload
    /// that finds no room there goes with its header. Once for a link.
    func share(_ memory: SharedMemory)

    /// Room to put the payload of the next tensor frame together in, so that it is not copied; nil: there is none, and
    /// any other memory does.
    func lend(byteCount: Int) -> UnsafeMutableRawPointer?

    /// Leaves the payload of the frame that is being handled where it is, as long as the link is there, until
    /// `releasePayload`; false: it is gone when the handler returns.
    func keepPayload() -> Bool

    /// Once for each payload that was kept.
    func releasePayload()

    /// Ends the connection. The exchange that holds the link reports it once, with the first reason given.
    func close(_ reason: CloseReason)
}

extension Link {
    package func share(_ memory: SharedMemory) {}

    package func lend(byteCount: Int) -> UnsafeMutableRawPointer? { nil }

    package func keepPayload() -> Bool { false }

    package func releasePayload() {}

    /// The peer's address without its port: where else the peer's host may be dialled.
    package var peerHost: String {
        let host = peer[..<(peer.lastIndex(of: ":") ?? peer.endIndex)]
        return String(host.hasPrefix("[") && host.hasSuffix("]") ? host.dropFirst().dropLast() : host)
    }

    /// Sends a control message. `epoch` and `flight` name what the message is about, if anything.
    package func send(_ message: ControlMessage, epoch: UInt32 = 0, flight: UInt64 = 0) throws(TransportError) {
        let payload: [UInt8]
        do {
            payload = try message.encoded()
        } catch {
            throw TransportError(
                kind: .message, what: "a \(message.kind) message cannot be sent: \(error)", place: peer,
                mend: "shorten the name or path concerned")
        }
        let header = FrameHeader(kind: message.kind, epoch: epoch, flight: flight, payloadLength: payload.count)
        try payload.withUnsafeBufferPointer { (bytes) throws(TransportError) in
            try send(header, [UnsafeRawBufferPointer(bytes)])
        }
    }
}
