/// What a plan is made of beside the model: machines, split and load, from a cluster file, from options, or assumed.
package struct PlanInput: Sendable {
    /// The options of `cohort plan`; those that are given win over the cluster file.
    package struct Options: Sendable {
        package var tensor: Int?
        package var pipeline: Int?
        package var expert: Int?
        /// Sequences decoded together.
        package var concurrency: Int
        /// Positions of each sequence in the KV cache.
        package var context: Int
        package var workerMemoryBytes: Int?
        package var coordinatorMemoryBytes: Int?
        /// Where coordinator and workers all are, if no cluster file says it.
        package var host: String?
        /// What machines like those of the plan were measured to do.
        package var rates: MeasuredRates?

        package init(
            tensor: Int? = nil, pipeline: Int? = nil, expert: Int? = nil, concurrency: Int = 8, context: Int = 4096,
            workerMemoryBytes: Int? = nil, coordinatorMemoryBytes: Int? = nil, host: String? = nil,
            rates: MeasuredRates? = nil
        ) {
            self.tensor = tensor
            self.pipeline = pipeline
            self.expert = expert
            self.concurrency = concurrency
            self.context = context
            self.workerMemoryBytes = workerMemoryBytes
            self.coordinatorMemoryBytes = coordinatorMemoryBytes
            self.host = host
            self.rates = rates
        }
    }

    package let parallelism: Parallelism
    package let coordinator: Machine
    /// [parallelism.workers]
    package let workers: [Machine]
    package let concurrency: Int
    package let context: Int
    /// Whether the machines' rates are measured ones.
    package let isMeasured: Bool
    /// What was assumed because nobody said it, as sentences.
    package let assumptions: [String]

    package init(options: Options, cluster: ClusterConfig? = nil) throws(PlanError) {
        try Self.check(options)
        let tensor = options.tensor ?? cluster?.parallelism.tensor ?? 1
        let pipeline = options.pipeline ?? cluster?.parallelism.pipeline ?? 1
        let workers =
            cluster.map { Self.workers(of: $0, options) } ?? Self.workers(tensor * pipeline, options)
        do {
            parallelism = try Parallelism(tensor: tensor, pipeline: pipeline, workers: workers.count)
        } catch { throw .placement(error) }
        if let expert = options.expert, parallelism.expert != expert {
            throw .expertSizeContradicts(expert: expert, parallelism)
        }
        self.workers = workers
        coordinator = Machine(
            name: "coordinator", host: cluster?.coordinator.host ?? options.host,
            memoryBytes: options.coordinatorMemoryBytes ?? cluster?.coordinator.memoryBytes,
            memoryBandwidth: cluster?.coordinator.memoryBandwidth ?? options.rates?.coordinator.memoryBandwidth,
            linkBandwidth: cluster?.coordinator.linkBandwidth ?? options.rates?.linkBandwidth,
            multiplyAddsPerSecond: options.rates?.coordinator.multiplyAddsPerSecond ?? .infinity)
        isMeasured = options.rates != nil
        concurrency = options.concurrency
        context = options.context
        assumptions = Self.assumptions(
            coordinator: coordinator, workers: workers, cluster: cluster, isMeasured: isMeasured)
    }

    /// [workers] for the placement: memory, where it is known of all.
    package var workerWeights: [Double] {
        let known = workers.compactMap(\.memoryBytes)
        return known.count == workers.count ? known.map(Double.init) : workers.map { _ in 1 }
    }

    private static func check(_ options: Options) throws(PlanError) {
        let sizes = [
            ("tensor-parallel-size", options.tensor), ("pipeline-parallel-size", options.pipeline),
            ("expert-parallel-size", options.expert), ("concurrency", options.concurrency),
            ("context", options.context),
        ]
        for (name, value) in sizes {
            if let value, !(1...maximumSize).contains(value) {
                throw .optionOutOfRange(name: name, value: value, maximum: maximumSize)
            }
        }
    }

    /// Keeps every product of two sizes and a model's bytes inside 63 bits.
    private static let maximumSize = 1 << 27

    private static func workers(of cluster: ClusterConfig, _ options: Options) -> [Machine] {
        cluster.workers.map {
            Machine(
                name: $0.name, host: $0.host, memoryBytes: options.workerMemoryBytes ?? $0.memoryBytes,
                memoryBandwidth: $0.memoryBandwidth ?? options.rates?.worker.memoryBandwidth,
                linkBandwidth: $0.linkBandwidth ?? options.rates?.linkBandwidth,
                multiplyAddsPerSecond: options.rates?.worker.multiplyAddsPerSecond ?? .infinity,
                roundTripSeconds: options.rates?.roundTripSeconds ?? 0)
        }
    }

    /// tensor x pipeline x expert workers (expert 1 unless given), at most as many as a cluster file may list.
    private static func workers(_ grid: Int, _ options: Options) -> [Machine] {
        let count = grid.multipliedReportingOverflow(by: options.expert ?? 1)
        let bounded = count.overflow ? ClusterConfig.Worker.maximumCount : count.partialValue
        return (0..<min(bounded, ClusterConfig.Worker.maximumCount)).map {
            Machine(
                name: "worker-\($0 + 1)", host: options.host, memoryBytes: options.workerMemoryBytes,
                memoryBandwidth: options.rates?.worker.memoryBandwidth, linkBandwidth: options.rates?.linkBandwidth,
                multiplyAddsPerSecond: options.rates?.worker.multiplyAddsPerSecond ?? .infinity,
                roundTripSeconds: options.rates?.roundTripSeconds ?? 0)
        }
    }

    private static func assumptions(
        coordinator: Machine, workers: [Machine], cluster: ClusterConfig?, isMeasured: Bool
    ) -> [String] {
        var sentences = ["routing is uniform over all experts"]
        let memoryRates = cluster.map { [$0.coordinator.memoryBandwidth] + $0.workers.map(\.memoryBandwidth) } ?? [nil]
        if isMeasured {
            sentences.append("memories, arithmetic and links are as measured where no cluster file says it")
        } else if memoryRates.contains(nil) {
            sentences.append(
                "memory bandwidth is \(Amount.rate(Machine.assumedMemoryBandwidth)) where no cluster file says it")
        }
        let linkRates = cluster.map { [$0.coordinator.linkBandwidth] + $0.workers.map(\.linkBandwidth) } ?? [nil]
        if linkRates.contains(nil), !isMeasured {
            sentences.append(
                "links carry \(Amount.rate(Machine.assumedLinkBandwidth)) each way where no cluster file says it")
        }
        if coordinator.memoryBytes == nil {
            sentences.append("the coordinator's memory is not known, so it is not checked (--coordinator-memory)")
        }
        if workers.contains(where: { $0.memoryBytes == nil }) {
            sentences.append("the workers' memory is not known, so it is not checked (--worker-memory)")
        }
        return sentences
    }
}
