import Transport
import Wire

/// A connection to a worker that gives experts, in the hands of a test.
final class Fetcher {
    enum Message: Equatable {
        case control(ControlMessage)
        case chunk([UInt8])
        case closed
    }

    let link: TCPLink
    private let exchange: TCPExchange
    private var received: [Message] = []

    init(port: Int) throws {
        link = try TCPLink.connect(host: "127.0.0.1", port: port, deadline: MonotonicTime().now() + .seconds(10))
        link.maximumPayload = WireLimit.chunkPayload
        exchange = try TCPExchange()
        exchange.add(link)
    }

    /// Proves the secret; returns the source's answer.
    func shakeHands(_ secret: ClusterSecret, fingerprint: [UInt8]) throws -> Message {
        let worker = WorkerDescription(
            name: "fetcher", memoryBytes: 1, coreCount: 1, kernelSet: "scalar", modelFingerprint: fingerprint,
            processID: 1)
        var handshake = WorkerHandshake(
            secret: secret, purpose: .transfer, worker: worker, deadline: MonotonicTime().now() + .seconds(10))
        try link.send(handshake.hello)
        guard case .control(let challenge) = next() else { return .closed }
        try link.send(try handshake.receive(challenge, at: MonotonicTime().now()))
        return next()
    }

    /// `closed` also when nothing comes for 10 seconds.
    func next() -> Message {
        let time = MonotonicTime()
        let deadline = time.now() + .seconds(10)
        while received.isEmpty, time.now() < deadline {
            _ = exchange.wait(until: deadline, spin: .zero) { event in
                switch event {
                case .accepted: break
                case .closed: received.append(.closed)
                case .frame(_, let header, let payload):
                    if header.kind == .chunk {
                        received.append(.chunk(Array(payload)))
                    } else if let message = try? ControlMessage(kind: header.kind, payload: payload) {
                        received.append(.control(message))
                    }
                }
            }
        }
        return received.isEmpty ? .closed : received.removeFirst()
    }
}
