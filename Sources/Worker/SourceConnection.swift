internal import Foundation
internal import Transport
internal import Wire

/// A link to a worker that gives experts, its handshake done. Every wait on it has a limit; once it is connected, each
/// ends early when the experts are not wanted any more.
final class SourceConnection {
    let link: any Link
    private let exchange: TCPExchange
    private let time: any TimeSource

    /// Connects, and proves the secret both ways.
    /// - Parameter isWanted: asked some times a second, but not while the source's host is dialled.
    /// - Throws: `TransferError`, `TransportError`.
    init(
        to source: PeerAddress, as worker: WorkerDescription, secret: ClusterSecret, time: any TimeSource,
        isWanted: () -> Bool
    ) throws {
        let deadline = time.now() + Self.dialLimit
        let link = try TCPLink.connect(host: source.host, port: source.port, deadline: deadline, time: time)
        self.link = link
        self.time = time
        exchange = try TCPExchange(time: time)
        exchange.add(link)
        var handshake = WorkerHandshake(secret: secret, purpose: .transfer, worker: worker, deadline: deadline)
        try link.send(handshake.hello)
        let challenge = try receiveMessage(isWanted: isWanted).message
        let proof: ControlMessage
        do throws(HandshakeError) {
            proof = try handshake.receive(challenge, at: time.now())
        } catch {
            throw TransferError.untrusted(peer: link.peer, error)
        }
        try link.send(proof)
        let answer = try receiveMessage(isWanted: isWanted)
        guard case .ready = answer.message else { throw TransferError.unexpected(peer: link.peer, answer.message.kind) }
        link.maximumPayload = WireLimit.chunkPayload
    }

    deinit {
        link.close(.local("the experts are fetched"))
        exchange.remove(link)
    }

    /// One control message; nothing else may come with it.
    /// - Throws: `TransferError`, also for what the source says that it cannot do.
    func receiveMessage(isWanted: () -> Bool) throws -> (message: ControlMessage, flight: UInt64) {
        var received: (message: ControlMessage, flight: UInt64)?
        try receive(isWanted: isWanted) { header, payload in
            guard received == nil, !header.kind.isTensor else {
                throw TransferError.unexpected(peer: link.peer, header.kind)
            }
            do throws(ControlError) {
                received = (try ControlMessage(kind: header.kind, payload: payload), header.flight)
            } catch {
                throw TransferError.unreadable(peer: link.peer, error)
            }
        }
        guard let received else { throw TransferError.abandoned }
        if case .failure(let report) = received.message { throw error(report) }
        return received
    }

    /// Waits until `body` has been called for one frame or more.
    /// - Throws: `TransferError`, and what `body` throws.
    func receive(isWanted: () -> Bool, _ body: (FrameHeader, UnsafeRawBufferPointer) throws -> Void) throws {
        let deadline = time.now() + Self.silence
        var outcome: Result<Void, any Error>?
        while outcome == nil {
            guard isWanted() else { throw TransferError.abandoned }
            guard time.now() < deadline else { throw TransferError.silent(peer: link.peer, Self.silence) }
            _ = exchange.wait(until: min(deadline, time.now() + Self.tick), spin: .zero) { event in
                if case .failure = outcome { return }
                outcome = Result {
                    switch event {
                    case .accepted: break
                    case .closed(let link, let reason):
                        throw TransferError.lost(peer: link.peer, reason: reason.description)
                    case .frame(_, let header, let payload): try body(header, payload)
                    }
                }
            }
        }
        try outcome?.get()
    }

    /// What a failure that the source sent stands for.
    private func error(_ report: FailureReport) -> TransferError {
        report.status == FailureReport.Status.busy
            ? .busy(peer: link.peer) : .refused(peer: link.peer, reason: report.message)
    }

    private static let dialLimit = Duration.seconds(10)
    private static let silence = Duration.seconds(20)
    private static let tick = Duration.milliseconds(100)
}
