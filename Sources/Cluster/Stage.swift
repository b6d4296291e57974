/// One stage of the pipeline: a contiguous run of MoE layers and the workers that own it.
package struct Stage: Hashable, Sendable {
    package let index: Int
    /// Indices of layers in the model, ascending.
    package let layers: [Int]
    package let workers: Range<Int>

    package init(index: Int, layers: [Int], workers: Range<Int>) {
        self.index = index
        self.layers = layers
        self.workers = workers
    }

    /// Cuts `layers` into `parallelism.pipeline` stages, each stage's share in proportion to its workers' weights and
    /// at least one layer.
    /// - Parameters:
    ///   - layers: the MoE layers, ascending.
    ///   - workerWeights: [workers], capacities in any unit, positive.
    package static func cut(
        layers: [Int], parallelism: Parallelism, workerWeights: [Double]
    ) throws(PlacementError) -> [Stage] {
        try check(layers: layers, parallelism: parallelism, workerWeights: workerWeights)
        let runs = (0..<parallelism.pipeline).map { parallelism.workers(stage: $0) }
        let shares = Apportionment.byLargestRemainder(
            layers.count, weights: runs.map { run in workerWeights[run].reduce(0, +) }, atLeast: 1)
        var next = 0
        return zip(runs, shares).enumerated().map { index, part in
            defer { next += part.1 }
            return Stage(index: index, layers: Array(layers[next..<next + part.1]), workers: part.0)
        }
    }

    private static func check(
        layers: [Int], parallelism: Parallelism, workerWeights: [Double]
    ) throws(PlacementError) {
        guard workerWeights.count == parallelism.workers else {
            throw .weightCount(weights: workerWeights.count, workers: parallelism.workers)
        }
        for (worker, weight) in workerWeights.enumerated() where !(weight > 0 && weight.isFinite) {
            throw .weightNotPositive(worker: worker, weight: weight)
        }
        guard zip(layers, layers.dropFirst()).allSatisfy({ $0 < $1 }), layers.first ?? 0 >= 0 else {
            throw .layersNotAscending(layers)
        }
        guard layers.count >= parallelism.pipeline else {
            throw .moreStagesThanLayers(pipeline: parallelism.pipeline, layers: layers.count)
        }
    }
}
