import Checkpoint
import Cluster
import Dispatcher
import Experts
import Kernels
import TestSupport

extension LocalExperts {
    /// Every expert of a checkpoint in this process.
    static func whole(
        _ checkpoint: Checkpoint, _ compute: Compute, _ exchange: ExchangeDType
    ) throws -> LocalExperts {
        let config = checkpoint.config
        return LocalExperts(
            shard: try ExpertShard(allOf: checkpoint, layers: Array(config.expertLayers)),
            processor: Processor(threads: 2, compute: compute), hiddenSize: config.hiddenSize,
            expertsPerToken: config.expertsPerToken, maximumTokens: ClusterHarness.maximumTokens, exchange: exchange)
    }
}

extension Placement {
    /// Every slice on random workers of its stage, its expert's slices on distinct ones.
    /// - Parameter replicas: holders of each slice; replicas times tensor workers must be there.
    static func random(
        _ config: ModelConfig, _ parallelism: Parallelism, replicas: Int = 1, using generator: inout SplitMix
    ) throws -> Placement {
        let stages = try Stage.cut(
            layers: Array(config.expertLayers), parallelism: parallelism,
            workerWeights: Array(repeating: 1, count: parallelism.workers))
        var holders: [Slot: [Int]] = [:]
        for stage in stages {
            for layer in stage.layers {
                for expert in 0..<config.expertCount {
                    let workers = stage.workers.shuffled(using: &generator)
                    for rank in 0..<parallelism.tensor {
                        holders[Slot(layer: layer, expert: expert, rank: rank)] = (0..<replicas).map {
                            workers[rank * replicas + $0]
                        }
                    }
                }
            }
        }
        return try Placement(epoch: 3, parallelism: parallelism, stages: stages, experts: config.expertCount) {
            holders[$0] ?? []
        }
    }
}

extension ClusterHarness {
    /// In-process workers with random places, computing as most clusters do.
    static func random(
        _ checkpoint: Checkpoint, workers: Int, tensor: Int = 1, replicas: Int = 1,
        limits: RemoteExperts.Limits = .init(), using generator: inout SplitMix
    ) throws -> ClusterHarness {
        let parallelism = try Parallelism(tensor: tensor, pipeline: 1, workers: workers)
        return try ClusterHarness(
            checkpoint,
            placement: try .random(checkpoint.config, parallelism, replicas: replicas, using: &generator),
            compute: .fast, exchange: .bf16, maximumTokens: maximumTokens, limits: limits)
    }
}
