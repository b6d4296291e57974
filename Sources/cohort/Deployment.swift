internal import Checkpoint
internal import Cluster
internal import Dispatcher
internal import Experts
internal import Foundation
internal import Kernels
internal import Logging
internal import Serving
internal import Transport
internal import Wire

/// The routed experts of a command: in this process, in worker processes on this machine, or on the cluster of a file.
final class Deployment {
    let experts: any RoutedExperts
    /// nil when every expert is in this process.
    let remote: RemoteExperts?
    private let admission: Admission?
    /// The worker processes on this machine; nil where there are none.
    let workers: LocalWorkers?

    /// What stays the same whatever the deployment.
    struct Model {
        let checkpoint: Checkpoint
        let processor: Processor
        let exchange: ExchangeDType
        /// The layers whose routed experts are needed.
        let expertLayers: [Int]
        /// The most tokens of one dispatch.
        let maximumTokens: Int
        /// What experts are held as; nil: as stored.
        let expertDType: HeldDType?

        /// - Parameter expertLayers: nil: all but MTP layers.
        init(
            checkpoint: Checkpoint, processor: Processor, exchange: ExchangeDType, expertLayers: [Int]? = nil,
            maximumTokens: Int, expertDType: HeldDType? = nil
        ) {
            self.checkpoint = checkpoint
            self.processor = processor
            self.exchange = exchange
            self.expertLayers = expertLayers ?? Array(checkpoint.config.expertLayers)
            self.maximumTokens = maximumTokens
            self.expertDType = expertDType
        }

        /// Spreads the experts over workers, in proportion to their weights or as the policy says.
        fileprivate func seating(
            _ parallelism: Parallelism, weights: [Double], memoryBytes: [Int], behavior: ClusterBehavior,
            applicants: [Seating.Applicant]
        ) throws -> Seating {
            let uniform = try Placement.uniform(
                layers: expertLayers, experts: checkpoint.config.expertCount, parallelism: parallelism,
                workerWeights: weights)
            let placement =
                try recorded(behavior, uniform, names: applicants.map(\.name)) ?? dealt(behavior, uniform, memoryBytes)
            return try Seating(
                checkpoint, placement: placement, compute: processor.compute, exchange: exchange,
                maximumRows: maximumTokens, expertDType: expertDType, applicants: applicants)
        }

        /// The placement of a record, where it is one of this cluster.
        private func recorded(_ behavior: ClusterBehavior, _ uniform: Placement, names: [String]) throws -> Placement? {
            guard let record = behavior.record else { return nil }
            guard record.statistics.layers == expertLayers, record.statistics.expertCount == uniform.expertCount else {
                let layers = record.statistics.layers
                throw InputError(
                    "the placement was recorded of another model, with layers \(layers.first ?? 0) to "
                        + "\(layers.last ?? 0) of \(record.statistics.expertCount) experts each; record it again")
            }
            return record.placement.placed(
                on: names, epoch: uniform.epoch, parallelism: uniform.parallelism, stages: uniform.stages,
                experts: uniform.expertCount)
        }

        private func dealt(
            _ behavior: ClusterBehavior, _ uniform: Placement, _ memoryBytes: [Int]
        ) throws -> Placement {
            let policy = behavior.settings.policy
            if policy.redundantExperts == 0, behavior.record == nil { return uniform }
            return try uniform.dealt(
                by: policy, memoryBytes: memoryBytes,
                sliceBytes: try Seating.sliceBytes(checkpoint, uniform, as: expertDType),
                loads: behavior.record?.statistics.loads())
        }
    }

    /// Every expert in this process.
    init(local model: Model) throws {
        let config = model.checkpoint.config
        let shard =
            try model.expertDType.map {
                try ExpertShard(
                    allOf: model.checkpoint, layers: model.expertLayers, as: $0, team: model.processor.team)
            } ?? ExpertShard(allOf: model.checkpoint, layers: model.expertLayers)
        experts = LocalExperts(
            shard: shard, processor: model.processor, hiddenSize: config.hiddenSize,
            expertsPerToken: config.expertsPerToken, maximumTokens: model.maximumTokens, exchange: model.exchange)
        (remote, admission, workers) = (nil, nil, nil)
    }

    /// In this process, or in so many worker processes on this machine that share out whole experts.
    convenience init(
        _ model: Model, workers count: Int, behavior: ClusterBehavior = .still,
        logger: Logger = .standardError(.warning)
    ) throws {
        if count == 0 {
            try self.init(local: model)
        } else {
            try self.init(
                model, localWorkers: count, parallelism: try Parallelism(tensor: 1, pipeline: 1, workers: count),
                behavior: behavior, logger: logger)
        }
    }

    /// Worker processes on this machine.
    convenience init(
        _ model: Model, localWorkers count: Int, parallelism: Parallelism, behavior: ClusterBehavior = .still,
        logger: Logger
    ) throws {
        let secret = Self.randomSecret()
        // It takes a third less time than over loopback to wake a worker, and no other host can dial it.
        let listener = try TCPListener(host: "@cohort-\(Self.randomSecret())", port: 0)
        let names = (1...count).map { "worker-\($0)" }
        let memory = names.map { _ in Machine.memoryBytes }
        let seats = try model.seating(
            parallelism, weights: names.map { _ in 1 }, memoryBytes: memory, behavior: behavior,
            applicants: names.map { Seating.Applicant(name: $0) })
        let workers = try LocalWorkers(
            names: names, address: listener.address, secret: secret, memoryBytes: Machine.memoryBytes)
        var behavior = behavior
        behavior.limits.sharesProcessors = true
        try self.init(
            model, seats, listener: listener, secret: ClusterSecret(bytes: Array(secret.utf8)), workers: workers,
            behavior: behavior, timeout: Self.localTimeout, logger: logger)
    }

    /// The workers of a cluster file, which dial in by themselves.
    convenience init(
        _ model: Model, cluster: ClusterConfig, parallelism: Parallelism, behavior: ClusterBehavior = .still,
        logger: Logger
    ) throws {
        let secret = try ClusterSecret(file: cluster.secretFile)
        let listener = try TCPListener(host: cluster.coordinator.host, port: cluster.coordinator.port)
        let seats = try model.seating(
            parallelism, weights: cluster.workers.map { Double($0.memoryBytes) },
            memoryBytes: cluster.workers.map(\.memoryBytes), behavior: behavior,
            applicants: cluster.workers.map {
                Seating.Applicant(
                    name: $0.name, modelPath: $0.model ?? cluster.model, memoryBytes: $0.memoryBytes)
            })
        logger.info(
            "waiting for workers", metadata: ["address": "\(listener.address)", "count": "\(seats.seats.count)"])
        try self.init(
            model, seats, listener: listener, secret: secret, workers: nil, behavior: behavior,
            timeout: .milliseconds(cluster.joinTimeoutMilliseconds), logger: logger)
    }

    private init(
        _ model: Model, _ seating: Seating, listener: TCPListener, secret: ClusterSecret, workers: LocalWorkers?,
        behavior: ClusterBehavior, timeout: Duration, logger: Logger
    ) throws {
        let time = MonotonicTime()
        let exchange = try TCPExchange(time: time)
        let arrivals = Arrivals { exchange.wake() }
        var limits = Admission.Limits()
        limits.sharesMemory = workers != nil
        let admission = Admission(
            seats: seating.seats, secret: secret, exchange: try TCPExchange(listener: listener, time: time),
            arrivals: arrivals, welcome: behavior.admitsNewcomers ? seating.welcome : nil, time: time, limits: limits,
            logger: logger)
        let ready = try ProgressLine.shown("loading experts") { progress in
            try admission.fill(until: time.now() + timeout) {
                try workers?.check(absent: admission.absent)
            } progress: {
                progress.show(bytes: $0, of: $1)
            }
        }
        let config = model.checkpoint.config
        let remote = RemoteExperts(
            workers: ready, placement: seating.placement,
            control: seating.control(
                ready, statistics: behavior.record?.statistics, settings: behavior.settings, at: time.now()),
            exchange: exchange, arrivals: arrivals, time: time, processor: model.processor, shape: seating.shape,
            expertsPerToken: config.expertsPerToken, maximumTokens: model.maximumTokens,
            sliceBytes: seating.sliceBytes, limits: behavior.limits, logger: logger)
        self.remote = remote
        self.admission = admission
        self.workers = workers
        experts = remote
        Thread.detachNewThread { admission.guardDoor() }
    }

    /// What each worker has done; empty without workers.
    var activity: [WorkerActivity] { remote?.activity ?? [] }

    /// How long each worker has computed so far.
    var busySeconds: [Double] { activity.map { Double($0.busyMicroseconds) / 1e6 } }

    /// Lets the cluster change between two steps.
    func betweenSteps() { remote?.turn() }

    /// What the engine's thread does when it does not compute.
    var interlude: any Interlude { remote.map { ClusterInterlude($0) } ?? Nap() }

    /// Sends the workers home.
    func close() {
        admission?.close()
        remote?.close()
        workers?.stop()
    }

    /// 256 bits, as text.
    private static func randomSecret() -> String {
        (0..<4).map { _ in String(UInt64.random(in: .min ... .max), radix: 16) }.joined(separator: "-")
    }

    /// What a 24 GiB machine's memory takes from a slow disk, about.
    private static let localTimeout = Duration.seconds(600)
}
