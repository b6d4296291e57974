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

/// A coordinator's experts with workers on threads of this process, joined over loopback.
final class ClusterHarness {
    let experts: RemoteExperts
    private let services: [WorkerService]
    private let ended: DispatchGroup

    init(
        _ checkpoint: Checkpoint, placement: Placement, compute: Compute, exchange: ExchangeDType, maximumTokens: Int
    ) throws {
        let time = MonotonicTime()
        let secret = ClusterSecret.random()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let count = placement.parallelism.workers
        let seating = try Seating(
            checkpoint, placement: placement, compute: compute, exchange: exchange, maximumRows: maximumTokens,
            applicants: (0..<count).map { Seating.Applicant(name: "worker-\($0)") })
        let listener = try TCPListener(host: "127.0.0.1", port: 0)
        let admission = Admission(
            seats: seating.seats, secret: secret, exchange: try TCPExchange(listener: listener), time: time,
            logger: logger)
        // Workers dial in another order than they are seated.
        let services = try (0..<count).reversed().map { index in
            WorkerService(
                .init(
                    name: "worker-\(index)", host: "127.0.0.1", port: listener.port, modelPath: nil,
                    memoryBytes: 1 << 30, threads: 1, patience: .seconds(10)),
                secret: secret, exchange: try TCPExchange(), time: time, logger: logger)
        }
        let ended = DispatchGroup()
        for service in services {
            ended.enter()
            Thread.detachNewThread {
                try? service.run()
                ended.leave()
            }
        }
        let ready = try admission.fill(until: time.now() + .seconds(30))
        experts = RemoteExperts(
            workers: ready, placement: placement, exchange: try TCPExchange(), time: time,
            processor: Processor(threads: 1, compute: compute), shape: seating.shape,
            expertsPerToken: checkpoint.config.expertsPerToken, maximumTokens: maximumTokens)
        self.services = services
        self.ended = ended
    }

    /// - Returns: whether all workers have ended in time.
    func close() -> Bool {
        experts.close()
        return ended.wait(timeout: .now() + 10) == .success
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
    func output(of experts: any RoutedExperts, layer: Int) throws -> [Float] {
        let output = AlignedBuffer<Float>(count: hidden.count)
        return try withExtendedLifetime((hidden, output)) {
            let flight = try experts.dispatch(hidden.pointer, to: routing, layer: layer)
            try experts.combine(flight, into: output.pointer)
            return Array(UnsafeBufferPointer(start: output.pointer, count: output.count))
        }
    }
}
