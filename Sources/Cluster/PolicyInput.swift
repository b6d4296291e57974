/// All that a placement policy is told.
package struct PolicyInput: Sendable {
    /// Who holds what now. Workers that are not in `workers` are taken for gone.
    package var holdings: Holdings
    /// Which layers each stage has; the workers of a stage are those of `workers`.
    package let stages: [Stage]
    package var workers: [WorkerCapacity]
    package var loads: ExpertLoads
    /// [tensor] bytes of a slice of an expert.
    package let sliceBytes: [Int]

    package init(
        holdings: Holdings, stages: [Stage], workers: [WorkerCapacity], loads: ExpertLoads, sliceBytes: [Int]
    ) throws(PolicyError) {
        precondition(holdings.layers == loads.layers && holdings.expertCount == loads.expertCount)
        precondition(stages.flatMap(\.layers) == holdings.layers && sliceBytes.count == holdings.tensor)
        for worker in workers {
            guard worker.speed > 0, worker.speed.isFinite else {
                throw .worker(index: worker.index, field: "speed", value: "\(worker.speed)")
            }
            guard worker.slots >= 0 else {
                throw .worker(index: worker.index, field: "number of slots", value: "\(worker.slots)")
            }
        }
        self.holdings = holdings
        self.stages = stages
        self.workers = workers.sorted { $0.index < $1.index }
        self.loads = loads
        self.sliceBytes = sliceBytes
    }

    /// [layers] the stage of each layer.
    var stageOfPosition: [Int] { stages.flatMap { stage in stage.layers.map { _ in stage.index } } }
}
