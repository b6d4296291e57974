package import Checkpoint

/// Who holds what and what that costs, computed from a model's config alone; it exists only if it fits.
package struct Plan: Sendable {
    package let placement: Placement
    package let report: PlanReport

    /// - Parameters:
    ///   - held: what matrices are held as.
    ///   - wire: what rows, pairs and headers weigh.
    package init(
        config: ModelConfig, input: PlanInput, held: HeldDTypes = HeldDTypes(), wire: WireCost
    ) throws(PlanError) {
        guard input.context <= config.maximumPositions else {
            throw .contextTooLong(context: input.context, maximum: config.maximumPositions)
        }
        let layout = ModelLayout(config, includesMTP: false, held: held)
        let model = ModelBytes(layout)
        let affordable = Self.maximumCacheBytes / (input.context * model.cachePerToken)
        guard input.concurrency <= affordable else {
            throw .optionOutOfRange(name: "concurrency", value: input.concurrency, maximum: affordable)
        }
        let slices = try ExpertSlices(layout: layout, parallelism: input.parallelism)
        let placement = try Self.placement(config, input)
        let loads = placement.stages.map { stage in
            StageLoad(
                stage: stage, table: placement.table(layer: stage.layers[0]), input: input, slices: slices,
                wire: wire, chosen: config.expertsPerToken)
        }
        let coordinator = Self.coordinatorShare(config, input, model, loads)
        let workers = Self.workerShares(input, loads)
        try Self.check(coordinator, model: model, input: input)
        try Self.check(workers, config: config, slices: slices, input: input)
        let estimate = StepEstimate(
            model: model, loads: loads, coordinator: input.coordinator, context: input.context)
        self.placement = placement
        report = PlanReport(
            model: Self.modelShare(config, layout, model), split: Self.split(input, loads, slices),
            concurrency: input.concurrency, context: input.context, isMeasured: input.isMeasured,
            assumptions: input.assumptions,
            coordinator: coordinator, workers: workers,
            ceilings: Set([1, input.concurrency]).sorted().map(estimate.ceiling),
            totals: Self.totals(coordinator, workers, roundTrips: placement.layers.count))
    }

    /// A KV cache above it is a typing error, and sums with it could leave 63 bits.
    private static let maximumCacheBytes = 1 << 60

    private static func placement(_ config: ModelConfig, _ input: PlanInput) throws(PlanError) -> Placement {
        do {
            return try Placement.uniform(
                layers: Array(config.expertLayers), experts: config.expertCount, parallelism: input.parallelism,
                workerWeights: input.workerWeights)
        } catch { throw .placement(error) }
    }
}

extension Plan {
    private static func check(
        _ coordinator: PlanReport.CoordinatorShare, model: ModelBytes, input: PlanInput
    ) throws(PlanError) {
        guard let memory = coordinator.memoryBytes, coordinator.totalBytes > memory else { return }
        throw .coordinatorTooSmall(
            PlanError.Shortfall(name: "coordinator", neededBytes: coordinator.totalBytes, memoryBytes: memory),
            weightBytes: coordinator.weightBytes,
            affordable: max(0, memory - coordinator.weightBytes) / (input.context * model.cachePerToken))
    }

    private static func check(
        _ workers: [PlanReport.WorkerShare], config: ModelConfig, slices: ExpertSlices, input: PlanInput
    ) throws(PlanError) {
        let short = workers.compactMap { worker -> PlanError.Shortfall? in
            guard let memory = worker.memoryBytes, worker.weightBytes > memory else { return nil }
            return PlanError.Shortfall(name: worker.name, neededBytes: worker.weightBytes, memoryBytes: memory)
        }
        guard let smallest = short.map(\.memoryBytes).min() else { return }
        throw .workersTooSmall(
            short, totalBytes: workers.reduce(0) { $0 + $1.weightBytes },
            totalMemoryBytes: workers.reduce(0) { $0 + ($1.memoryBytes ?? 0) },
            expertSize: expertSize(memoryBytes: smallest, config: config, slices: slices, input: input))
    }

    /// The expert-parallel-size at which workers of this memory hold their slices of the longest stage.
    private static func expertSize(
        memoryBytes: Int, config: ModelConfig, slices: ExpertSlices, input: PlanInput
    ) -> Int? {
        let pipeline = input.parallelism.pipeline
        let layers = (config.expertLayers.count + pipeline - 1) / pipeline
        let affordable = memoryBytes / (layers * (slices.byteCounts.max() ?? 1))
        guard affordable > 0 else { return nil }
        let size = (config.expertCount + affordable - 1) / affordable
        return size * input.parallelism.tensor * pipeline <= ClusterConfig.Worker.maximumCount ? size : nil
    }
}

extension Plan {
    private static func modelShare(
        _ config: ModelConfig, _ layout: ModelLayout, _ model: ModelBytes
    ) -> PlanReport.Model {
        PlanReport.Model(
            modelType: config.modelType.rawValue, layers: config.layerCount, moeLayers: config.expertLayers.count,
            experts: config.expertCount, expertsPerToken: config.expertsPerToken,
            expertIntermediateSize: config.expertIntermediateSize, weightBytes: model.total,
            routedBytes: model.routed, expertBytes: layout.expertByteCount, kvBytesPerToken: model.cachePerToken)
    }

    private static func split(_ input: PlanInput, _ loads: [StageLoad], _ slices: ExpertSlices) -> PlanReport.Split {
        let widths = slices.columns.map(\.count)
        let stages = loads.map { load in
            let (layers, workers) = (load.stage.layers, load.stage.workers)
            return PlanReport.StageShare(
                stage: load.stage.index + 1, firstLayer: layers[0], lastLayer: layers[layers.count - 1],
                layers: layers.count, firstWorker: input.workers[workers.lowerBound].name,
                lastWorker: input.workers[workers.upperBound - 1].name, workers: workers.count,
                sliceColumnsMin: widths.min() ?? 0, sliceColumnsMax: widths.max() ?? 0,
                distinctWorkersPerToken: load.distinctWorkers)
        }
        return PlanReport.Split(
            tensorParallelSize: input.parallelism.tensor, pipelineParallelSize: input.parallelism.pipeline,
            expertParallelSize: input.parallelism.expert, workers: input.parallelism.workers, stages: stages)
    }

    private static func coordinatorShare(
        _ config: ModelConfig, _ input: PlanInput, _ model: ModelBytes, _ loads: [StageLoad]
    ) -> PlanReport.CoordinatorShare {
        var traffic = Traffic(out: 0, back: 0)
        for load in loads {
            let layer = load.traffic(tokens: 1)
            traffic.out += Double(load.stage.layers.count) * layer.out
            traffic.back += Double(load.stage.layers.count) * layer.back
        }
        let cache = input.concurrency * input.context * model.cachePerToken
        return PlanReport.CoordinatorShare(
            host: input.coordinator.host, layers: config.layerCount, weightBytes: model.coordinator, kvBytes: cache,
            totalBytes: model.coordinator + cache, memoryBytes: input.coordinator.memoryBytes,
            memoryBandwidth: input.coordinator.memoryBandwidth, linkBandwidth: input.coordinator.linkBandwidth,
            networkBytesOutPerToken: traffic.out, networkBytesBackPerToken: traffic.back)
    }

    private static func workerShares(_ input: PlanInput, _ loads: [StageLoad]) -> [PlanReport.WorkerShare] {
        loads.flatMap { load in
            load.stage.workers.enumerated().map { local, worker in
                let machine = input.workers[worker]
                let layers = load.stage.layers.count
                let traffic = load.traffic(local, tokens: 1)
                return PlanReport.WorkerShare(
                    name: machine.name, host: machine.host, stage: load.stage.index + 1, layers: layers,
                    expertsPerLayerMin: load.slots(local), expertsPerLayerMax: load.slots(local),
                    weightBytes: layers * load.byteCount(local), memoryBytes: machine.memoryBytes,
                    memoryBandwidth: machine.memoryBandwidth, linkBandwidth: machine.linkBandwidth,
                    networkBytesOutPerToken: Double(layers) * traffic.out,
                    networkBytesBackPerToken: Double(layers) * traffic.back)
            }
        }
    }

    private static func totals(
        _ coordinator: PlanReport.CoordinatorShare, _ workers: [PlanReport.WorkerShare], roundTrips: Int
    ) -> PlanReport.Totals {
        let weights = workers.reduce(0) { $0 + $1.weightBytes }
        let memories = ([coordinator.memoryBytes] + workers.map(\.memoryBytes)).compactMap { $0 }
        return PlanReport.Totals(
            workerWeightBytes: weights, coordinatorBytes: coordinator.totalBytes,
            allBytes: weights + coordinator.totalBytes,
            memoryBytes: memories.count == workers.count + 1 ? memories.reduce(0, +) : nil,
            networkBytesPerToken: coordinator.networkBytesOutPerToken + coordinator.networkBytesBackPerToken,
            roundTripsPerToken: roundTrips)
    }
}
