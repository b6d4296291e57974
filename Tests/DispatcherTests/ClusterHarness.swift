import Checkpoint
import Cluster
import Dispatcher
import Experts
import Foundation
import Kernels
import Logging
import TestSupport
import Transport
import Wire
import Worker

/// A coordinator's experts with workers on threads of this process, joined over loopback; where they share its
/// processors, they share memory too.
final class ClusterHarness {
    static let maximumTokens = 24

    let experts: RemoteExperts
    let processor: Processor
    private let admission: Admission
    private let secret = ClusterSecret.random()
    private let port: Int
    private var services: [Int: WorkerService] = [:]
    private let ended = DispatchGroup()

    init(
        _ checkpoint: Checkpoint, placement: Placement, compute: Compute, exchange: ExchangeDType, maximumTokens: Int,
        threads: Int = 3, queueLimit: Int = TCPLink.defaultQueueLimit, settings: ControlPlane.Settings = .init(),
        limits: RemoteExperts.Limits = .init(),
        planner: @escaping RemoteExperts.Planner = RemoteExperts.inBackground
    ) throws {
        let time = MonotonicTime()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let count = placement.parallelism.workers
        let seating = try Seating(
            checkpoint, placement: placement, compute: compute, exchange: exchange, maximumRows: maximumTokens,
            applicants: (0..<count).map { Seating.Applicant(name: "worker-\($0)") })
        let listener = try TCPListener(host: "127.0.0.1", port: 0, queueLimit: queueLimit)
        let exchange = try TCPExchange()
        let arrivals = Arrivals { exchange.wake() }
        var door = Admission.Limits()
        door.sharesMemory = limits.sharesProcessors
        let admission = Admission(
            seats: seating.seats, secret: secret, exchange: try TCPExchange(listener: listener), arrivals: arrivals,
            welcome: seating.welcome, time: time, limits: door, logger: logger)
        port = listener.port
        // Workers dial in another order than they are seated.
        for index in (0..<count).reversed() {
            services[index] = try Self.start(index, port: port, secret: secret, ended: ended)
        }
        let ready = try admission.fill(until: time.now() + .seconds(30))
        processor = Processor(threads: threads, compute: compute)
        experts = RemoteExperts(
            workers: ready, placement: placement,
            control: seating.control(ready, statistics: nil, settings: settings, at: time.now()),
            exchange: exchange, arrivals: arrivals, time: time,
            processor: processor, shape: seating.shape,
            expertsPerToken: checkpoint.config.expertsPerToken, maximumTokens: maximumTokens,
            sliceBytes: seating.sliceBytes, limits: limits, planner: planner, logger: logger)
        self.admission = admission
        Thread.detachNewThread { admission.guardDoor() }
    }

    /// Ends a worker without a goodbye.
    func kill(_ index: Int) { services.removeValue(forKey: index)?.stop() }

    /// Ends every worker, and waits until they have ended.
    func killAll() {
        for index in services.keys { kill(index) }
        _ = ended.wait(timeout: .now() + 10)
    }

    /// Starts a worker that is new, or under the name of one that was killed.
    func start(_ index: Int) throws {
        services[index] = try Self.start(index, port: port, secret: secret, ended: ended)
    }

    /// - Returns: whether all workers have ended in time.
    func close() -> Bool {
        admission.close()
        experts.close()
        return ended.wait(timeout: .now() + 10) == .success
    }

    private static func start(
        _ index: Int, port: Int, secret: ClusterSecret, ended: DispatchGroup
    ) throws -> WorkerService {
        let service = WorkerService(
            .init(
                name: "worker-\(index)", host: "127.0.0.1", port: port, modelPath: nil, memoryBytes: 1 << 30,
                threads: 1,
                patience: .seconds(10)),
            secret: secret, exchange: try TCPExchange(), time: MonotonicTime(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        ended.enter()
        Thread.detachNewThread {
            try? service.run()
            ended.leave()
        }
        return service
    }
}

/// A batch as the router would leave it: random hidden vectors, experts and weights.
struct RandomBatch {
    let hidden: AlignedBuffer<Float>
    let routing: Routing

    init(tokens: Int, config: ModelConfig, using generator: inout SplitMix) {
        hidden = AlignedBuffer(count: tokens * config.hiddenSize)
        for index in 0..<hidden.count { hidden.pointer[index] = Float.random(in: -2...2, using: &generator) }
        routing = Routing(maximumTokens: tokens, expertsPerToken: config.expertsPerToken)
        routing.begin(tokens: tokens)
        for token in 0..<tokens {
            let chosen = (0..<config.expertCount).shuffled(using: &generator).prefix(config.expertsPerToken)
            for (slot, expert) in chosen.enumerated() {
                routing.experts[token * config.expertsPerToken + slot] = Int32(expert)
                routing.weights[token * config.expertsPerToken + slot] = Float.random(in: 0...1, using: &generator)
            }
        }
    }

    /// What the experts make of the batch, added to a zero output.
    /// - Parameter meanwhile: called while the answers are under way.
    func output(
        of experts: any RoutedExperts, layer: Int, meanwhile: () -> Void = {}
    ) throws -> [Float] {
        let output = AlignedBuffer<Float>(count: hidden.count)
        return try withExtendedLifetime((hidden, output)) {
            let flight = try experts.dispatch(hidden.pointer, to: routing, layer: layer)
            meanwhile()
            try experts.combine(flight, into: output.pointer)
            return Array(UnsafeBufferPointer(start: output.pointer, count: output.count))
        }
    }
}
