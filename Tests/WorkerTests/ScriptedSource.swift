import Foundation
import Synchronization
import Transport
import Wire

/// The other side of a worker's fetch, on a thread of its own: shakes hands as it should, then does what a test wants.
final class ScriptedSource: Sendable {
    /// What to do with a message of the worker.
    typealias Script = @Sendable (_ message: ControlMessage, _ header: FrameHeader, _ link: any Link) throws -> Void

    let address: PeerAddress
    private let exchange: TCPExchange
    private let isOver = Atomic(false)

    init(_ secret: ClusterSecret, _ script: @escaping Script) throws {
        let listener = try TCPListener(host: "127.0.0.1", port: 0)
        address = PeerAddress(host: "127.0.0.1", port: listener.port)
        exchange = try TCPExchange(listener: listener)
        Thread.detachNewThread { [exchange, self] in
            var handshakes: [ObjectIdentifier: CoordinatorHandshake] = [:]
            while !isOver.load(ordering: .acquiring) {
                _ = exchange.wait(until: MonotonicTime().now() + .seconds(1), spin: .zero) { event in
                    switch event {
                    case .accepted(let link):
                        handshakes[ObjectIdentifier(link)] = CoordinatorHandshake(
                            secret: secret, purpose: .transfer, deadline: MonotonicTime().now() + .seconds(10))
                    case .closed: break
                    case .frame(let link, let header, let payload):
                        do {
                            let message = try ControlMessage(kind: header.kind, payload: payload)
                            try Self.answer(message, header, link, &handshakes, script)
                        } catch {
                            link.close(.local("\(error)"))
                        }
                    }
                }
            }
        }
    }

    func close() {
        isOver.store(true, ordering: .releasing)
        exchange.wake()
    }

    private static func answer(
        _ message: ControlMessage, _ header: FrameHeader, _ link: any Link,
        _ handshakes: inout [ObjectIdentifier: CoordinatorHandshake], _ script: Script
    ) throws {
        guard var handshake = handshakes[ObjectIdentifier(link)] else { return try script(message, header, link) }
        switch try handshake.receive(message, at: MonotonicTime().now()) {
        case .send(let answer):
            handshakes[ObjectIdentifier(link)] = handshake
            try link.send(answer)
        case .accept:
            handshakes[ObjectIdentifier(link)] = nil
            try link.send(.ready(ReadyReport(loadedBytes: 0, residentBytes: 0, expertSlots: 0)))
        }
    }
}
