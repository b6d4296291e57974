import Dispatcher
import Foundation
import Logging
import Synchronization
import Testing
import Transport
import Wire

/// What a coordinator makes of workers that know the secret and say what cannot be.
@Suite struct AdmissionTests {
    private struct Done: Error {}

    @Test("workers that claim to have loaded more than there is count for what they were given")
    func absurdProgress() throws {
        let secret = ClusterSecret.random()
        let listener = try TCPListener(host: "127.0.0.1", port: 0)
        let template = Assignment(
            epoch: 0, modelPath: "/model", modelFingerprint: [], compute: "f32",
            rowShape: RowShape(hiddenSize: 4, dtype: .f32), tensorParallelSize: 1, maximumRows: 1, slots: [],
            model: ModelShape(expertCount: 2, expertsPerToken: 1, expertWidth: 8, layers: 1..<2, block: nil))
        let time = MonotonicTime()
        let names = ["worker-1", "worker-2"]
        let admission = Admission(
            seats: names.map { WorkerSeat(name: $0, assignment: template, weightBytes: 100) }, secret: secret,
            exchange: try TCPExchange(listener: listener), arrivals: Arrivals {}, time: time,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let over = DispatchSemaphore(value: 0)
        defer { for _ in names { over.signal() } }
        for name in names {
            let port = listener.port
            Thread.detachNewThread { try? Self.boast(as: name, port: port, secret, until: over) }
        }
        var most = 0
        #expect(throws: Done.self) {
            _ = try admission.fill(until: time.now() + .seconds(10)) {
                if most == 200 { throw Done() }
            } progress: { loaded, total in
                #expect(total == 200)
                most = max(most, loaded)
            }
        }
        #expect(most == 200)
    }

    /// Joins, and claims to hold all memory there could be.
    private static func boast(
        as name: String, port: Int, _ secret: ClusterSecret, until over: DispatchSemaphore
    ) throws {
        let time = MonotonicTime()
        let deadline = time.now() + .seconds(10)
        let link = try TCPLink.connect(host: "127.0.0.1", port: port, deadline: deadline)
        let exchange = try TCPExchange()
        exchange.add(link)
        var handshake = WorkerHandshake(
            secret: secret,
            worker: WorkerDescription(
                name: name, memoryBytes: .max, coreCount: 1, kernelSet: "scalar", processID: 1), deadline: deadline)
        try link.send(handshake.hello)
        try link.send(try handshake.receive(try next(exchange, deadline), at: time.now()))
        link.maximumPayload = WireLimit.controlPayload
        _ = try next(exchange, deadline)
        try link.send(.progress(LoadProgress(loadedBytes: .max, totalBytes: .max)))
        over.wait()
    }

    private static func next(_ exchange: TCPExchange, _ deadline: Instant) throws -> ControlMessage {
        var message: ControlMessage?
        while message == nil {
            let result = exchange.wait(until: deadline, spin: .zero) { event in
                guard case .frame(_, let header, let payload) = event else { return }
                message = try? ControlMessage(kind: header.kind, payload: payload)
            }
            if result == .timedOut { throw Done() }
        }
        return try #require(message)
    }
}
