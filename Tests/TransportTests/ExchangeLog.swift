import Transport
import Wire

/// What an exchange delivered, copied.
final class ExchangeLog {
    struct Frame: Equatable {
        let peer: String
        let header: FrameHeader
        let payload: [UInt8]
    }

    private(set) var frames: [Frame] = []
    private(set) var accepted: [any Link] = []
    private(set) var closed: [(link: any Link, reason: CloseReason)] = []

    func record(_ event: ExchangeEvent) {
        switch event {
        case .frame(let link, let header, let payload):
            frames.append(Frame(peer: link.peer, header: header, payload: Array(payload)))
        case .accepted(let link): accepted.append(link)
        case .closed(let link, let reason): closed.append((link, reason))
        }
    }

    /// Waits on `exchange` until `condition` holds or 10 s are over; false then.
    func wait(on exchange: any Exchange, spin: Duration = .zero, until condition: () -> Bool) -> Bool {
        let deadline = MonotonicTime().now() + .seconds(10)
        while !condition() {
            if exchange.wait(until: deadline, spin: spin, record) == .timedOut { return condition() }
        }
        return true
    }
}

extension TCPExchange {
    /// An accepting exchange on a port of the loopback, links accepting large frames once `accepted`.
    static func listening(limits: Limits = Limits()) throws -> (exchange: TCPExchange, listener: TCPListener) {
        let listener = try TCPListener(host: "127.0.0.1", port: 0)
        return (try TCPExchange(listener: listener, limits: limits), listener)
    }
}

extension TCPLink {
    /// A connected pair on the loopback, both with large frames allowed.
    static func pair(queueLimit: Int = defaultQueueLimit) throws -> (near: TCPLink, far: any Link) {
        let (acceptor, listener) = try TCPExchange.listening()
        let near = try TCPLink.connect(
            host: "127.0.0.1", port: listener.port, deadline: MonotonicTime().now() + .seconds(5),
            queueLimit: queueLimit)
        let log = ExchangeLog()
        guard log.wait(on: acceptor, until: { !log.accepted.isEmpty }) else {
            throw TransportError(kind: .timedOut, what: "nothing was accepted", place: near.peer, mend: "")
        }
        let far = log.accepted[0]
        acceptor.remove(far)
        near.maximumPayload = 1 << 30
        far.maximumPayload = 1 << 30
        return (near, far)
    }
}

extension Link {
    func send(bytes: [UInt8], kind: FrameKind = .dispatch, flight: UInt64 = 0) throws {
        try bytes.withUnsafeBytes {
            try send(FrameHeader(kind: kind, flight: flight, payloadLength: bytes.count), [$0])
        }
    }
}
