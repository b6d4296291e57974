/// The least time of a decoding step, from the bytes that memories and links must move.
struct StepEstimate {
    let model: ModelBytes
    let loads: [StageLoad]
    let coordinator: Machine
    /// Positions that each sequence has in the KV cache.
    let context: Int

    /// Up to one batch per stage is under way; each step takes a batch through all layers, one after the other, and the
    /// shared expert computes while a layer's rows are out, where workers have processors of their own.
    func ceiling(concurrency: Int) -> PlanReport.Ceiling {
        let batches = min(loads.count, concurrency)
        let tokens = Double(concurrency) / Double(batches)
        let coordinatorBytes = coordinatorBytes(tokens: tokens)
        let coordinatorSeconds =
            coordinatorBytes / coordinator.memoryBandwidth
            + tokens * Double(model.multiplyAdds) / coordinator.multiplyAddsPerSecond
        let sharedSeconds = Double(model.sharedExpert) / coordinator.memoryBandwidth
        var (step, busiestStage, workers, network, touched) = (coordinatorSeconds, 0.0, 0.0, 0.0, 0.0)
        for load in loads {
            let layers = Double(load.stage.layers.count)
            let compute = load.workerSeconds(tokens: tokens)
            let transfer = load.networkSeconds(tokens: tokens)
            step += layers * max(0, compute + transfer - (load.sharesProcessors ? 0 : sharedSeconds))
            busiestStage = max(busiestStage, layers * compute)
            workers += layers * compute
            network += layers * transfer
            touched += layers * load.touchedBytes(tokens: tokens)
        }
        let busiest = max(coordinatorSeconds, network, busiestStage)
        let cycle = max(step, Double(batches) * busiest)
        return PlanReport.Ceiling(
            concurrency: concurrency, batches: batches, tokensPerSecond: Double(concurrency) / cycle,
            bound: Self.bound(coordinator: coordinatorSeconds, workers: workers, network: network),
            stepSeconds: step, coordinatorSeconds: coordinatorSeconds, workerSeconds: workers, networkSeconds: network,
            coordinatorBytes: coordinatorBytes, workerBytes: touched)
    }

    /// Bytes that the coordinator reads for one batch's step.
    private func coordinatorBytes(tokens: Double) -> Double {
        Double(model.coordinatorPerStep)
            + tokens * (Double(model.embeddingRow) + Double(context) * Double(model.cachePerToken))
    }

    private static func bound(coordinator: Double, workers: Double, network: Double) -> PlanReport.Bound {
        if network > max(coordinator, workers) { return .network }
        return workers > coordinator ? .workerMemory : .coordinatorMemory
    }
}
