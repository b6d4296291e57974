internal import ArgumentParser
internal import Checkpoint
internal import Cluster
internal import Kernels

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Shows how a model is split over a cluster, and what that costs and allows.",
        discussion: "Needs a config.json alone, no weights. A plan that does not fit is refused.")

    @Argument(help: "The checkpoint folder; its config.json is enough.")
    var model: String

    @Option(help: "A cluster file (YAML). Default: machines of assumed speed.")
    var cluster: String?

    @Option(help: "Slices of each expert along its intermediate dimension.")
    var tensorParallelSize: Int?

    @Option(help: "Contiguous stages of MoE layers, each with workers of its own.")
    var pipelineParallelSize: Int?

    @Option(help: "Workers that share out a stage's experts, counted in whole experts.")
    var expertParallelSize: Int?

    @OptionGroup(title: "Weights")
    var weights: WeightOptions

    @Option(help: "Sequences decoded together.")
    var concurrency = 8

    @Option(help: "Positions of each sequence in the KV cache. Default: 4096, or all that the model takes.")
    var context: Int?

    @Option(help: "Memory of each worker, such as 256GiB.")
    var workerMemory: MemorySize?

    @Option(help: "Memory of the coordinator, such as 128GiB.")
    var coordinatorMemory: MemorySize?

    @Option(
        help: """
            A file of what such machines do, from `cohort bench plan --record FILE`: what is printed is then what to \
            expect, not what memories and links allow at most.
            """)
    var machine: String?

    @OptionGroup
    var wire: WireOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let config = try ModelConfig(folder: model)
        let options = PlanInput.Options(
            tensor: tensorParallelSize, pipeline: pipelineParallelSize, expert: expertParallelSize,
            concurrency: concurrency, context: context ?? min(Self.usualContext, config.maximumPositions),
            workerMemoryBytes: workerMemory?.byteCount, coordinatorMemoryBytes: coordinatorMemory?.byteCount,
            rates: try machine.map(Self.rates))
        let input = try PlanInput(options: options, cluster: try cluster.map { try ClusterConfig(file: $0) })
        let cost = WireCost(wire.dtype(for: .fast), hiddenSize: config.hiddenSize)
        let report = try Plan(config: config, input: input, held: weights.held, wire: cost).report
        try StandardStream.output((json ? try report.json() : PlanText(report).description) + "\n")
    }

    private static func rates(_ file: String) throws -> MeasuredRates {
        let bytes = try NamedFile.bytes(of: file, what: "file of measured rates", maximumByteSize: maximumRatesByteSize)
        return try MeasuredRates.decode(bytes, file: file)
    }

    private static let usualContext = 4096
    /// Six numbers and their names.
    private static let maximumRatesByteSize = 1 << 16
}

extension PlanError: Reportable {
    /// A plan that does not fit is an answer, and a failure; the rest is wrong usage.
    var exitStatus: Int32 {
        switch self {
        case .coordinatorTooSmall, .workersTooSmall: ExitStatus.failed
        default: ExitStatus.usage
        }
    }
}
