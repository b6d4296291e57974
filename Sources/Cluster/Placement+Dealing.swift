extension Placement {
    /// The same cluster's placement as the policy would have it from the start: by load, with redundant experts.
    /// - Parameters:
    ///   - memoryBytes: [workers] what each worker's experts may take.
    ///   - sliceBytes: [tensor] bytes of a slice of an expert.
    ///   - loads: of this placement's layers and experts; nil: every expert alike.
    /// - Throws: `PolicyError` when the workers' memory is too small.
    package func dealt(
        by policy: PlacementPolicy, memoryBytes: [Int], sliceBytes: [Int], loads: ExpertLoads?
    ) throws -> Placement {
        let workers = stages.flatMap { stage in
            stage.workers.map {
                WorkerCapacity(
                    index: $0, stage: stage.index,
                    slots: WorkerCapacity.slots(memoryBytes: memoryBytes[$0], sliceBytes: sliceBytes))
            }
        }
        let input = try PolicyInput(
            holdings: Holdings(layers: layers, experts: expertCount, tensor: parallelism.tensor), stages: stages,
            workers: workers, loads: loads ?? .none(layers: layers, experts: expertCount), sliceBytes: sliceBytes)
        return try policy.deal(input).placement(epoch: epoch, parallelism: parallelism, stages: stages)
    }
}
