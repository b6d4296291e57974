internal import ArgumentParser
internal import Checkpoint
internal import Cluster
internal import Experts
internal import Foundation
internal import Kernels
internal import Logging
internal import Model

/// The model and what computes it: the flags of every command that runs one.
struct ModelOptions: ParsableArguments {
    @Argument(help: "The checkpoint folder.")
    var model: String

    @OptionGroup(title: "Cluster")
    var cluster: ClusterOptions

    @OptionGroup(title: "Weights")
    var weights: WeightOptions

    @Option(help: "Arithmetic: f32, or fast (bf16 into products, INT8 where weights are; f32 accumulation).")
    var compute = Compute.fast

    @OptionGroup
    var wire: WireOptions

    @Option(help: "Prompt tokens in one pass.")
    var prefillChunk = 512

    @Option(help: "Cores to use. Default: all that this process may use.")
    var threads: Int?

    @Flag(help: "Log what happens in the cluster to standard error.")
    var verbose = false

    func validate() throws {
        guard 1...Self.maximumChunk ~= prefillChunk else {
            throw ValidationError("--prefill-chunk is \(prefillChunk): give 1 to \(Self.maximumChunk)")
        }
        if let threads, !(1...Self.maximumThreads ~= threads) {
            throw ValidationError("--threads is \(threads): give 1 to \(Self.maximumThreads)")
        }
    }

    func processor() -> Processor { Processor(threads: threads ?? Machine.coreCount, compute: compute) }

    /// Redundant experts where no flag says, as for `LivingOptions`: processes on one machine that map the same files
    /// share their memory; what is converted or sliced, each has for itself.
    var usualRedundant: Int? {
        let isShared = weights.expertDType == nil && (cluster.tensorParallelSize ?? 1) == 1
        return cluster.cluster != nil || isShared ? nil : 0
    }

    var logger: Logger { .standardError(verbose ? .info : .warning) }

    /// Puts the routed experts where the flags say, and waits until they are held.
    func deploy(
        _ checkpoint: Checkpoint, _ decoder: DecoderModel, _ processor: Processor, _ behavior: ClusterBehavior = .still
    ) throws -> Deployment {
        let config = checkpoint.config
        let model = Deployment.Model(
            checkpoint: checkpoint, processor: processor, exchange: wire.dtype(for: compute),
            expertLayers: config.expertLayers + (decoder.prediction == nil ? [] : [config.layerCount]),
            maximumTokens: prefillChunk,
            expertDType: weights.expertDType)
        if let file = cluster.cluster {
            let config = try ClusterConfig(file: file)
            let parallelism = try Parallelism(
                tensor: cluster.tensorParallelSize ?? config.parallelism.tensor,
                pipeline: cluster.pipelineParallelSize ?? config.parallelism.pipeline, workers: config.workers.count)
            return try Deployment(model, cluster: config, parallelism: parallelism, behavior: behavior, logger: logger)
        }
        let count = cluster.local ?? 0
        let isSplit = [cluster.tensorParallelSize, cluster.pipelineParallelSize].contains { ($0 ?? 1) != 1 }
        guard count > 0 || isSplit else { return try Deployment(local: model) }
        let parallelism = try Parallelism(
            tensor: cluster.tensorParallelSize ?? 1, pipeline: cluster.pipelineParallelSize ?? 1, workers: count)
        return try Deployment(
            model, localWorkers: count, parallelism: parallelism, behavior: behavior, logger: logger)
    }

    /// Far beyond what one pass gains by.
    private static let maximumChunk = 8192
    private static let maximumThreads = 1024
}

extension Compute: ExpressibleByArgument {}
