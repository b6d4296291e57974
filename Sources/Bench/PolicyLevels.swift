internal import Cluster

/// How level the policies place a trace's experts, by number of workers.
package struct PolicyLevels {
    package let levels: [ClusterReport.Policies]

    /// There are an eighth more slots than experts, or somewhat more, since every worker has as many as the others.
    /// - Throws: `PolicyError` or `PlacementError` when the trace's experts cannot be placed so.
    package init(_ trace: RoutingTrace, batch: Int) throws {
        levels = try Self.workerCounts.map { workers in
            let slots = (trace.expertCount * 9 / 8 + workers - 1) / workers
            let layers = Array(trace.layers.indices)
            let tokens = trace.layers.map { layer in
                layer.reduce(into: [Double](repeating: 0, count: trace.expertCount)) { $0[Int($1)] += 1 }
            }
            let stages = [Stage(index: 0, layers: layers, workers: 0..<workers)]
            let input = try PolicyInput(
                holdings: Holdings(layers: layers, experts: trace.expertCount, tensor: 1), stages: stages,
                workers: (0..<workers).map { WorkerCapacity(index: $0, slots: slots * layers.count) },
                loads: ExpertLoads(layers: layers, experts: trace.expertCount, tokens: Array(tokens.joined())),
                sliceBytes: [1])
            let ours = try CohortPolicy(redundantExperts: slots * workers - trace.expertCount).deal(input)
            let published = try EPLB(
                loads: tokens.map { $0.map(Float.init) },
                shape: EPLB.Shape(replicas: slots * workers, groups: 1, nodes: 1, workers: workers)
            ).holdings(layers: layers, workers: workers)
            let measured = try [ours, published].map { holdings in
                trace.maximumOverMean(
                    try holdings.placement(
                        epoch: 0, parallelism: Parallelism(tensor: 1, pipeline: 1, workers: workers), stages: stages),
                    modelLayers: layers, workers: Array(0..<workers), batch: batch)
            }
            return ClusterReport.Policies(
                workers: workers, slots: slots * workers, cohort: measured[0], deepseek: measured[1])
        }
    }

    private static let workerCounts = [4, 8, 12, 16]
}
