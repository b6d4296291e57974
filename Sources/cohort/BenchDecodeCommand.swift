internal import ArgumentParser
internal import Bench
internal import Checkpoint
internal import Cluster
internal import Kernels
internal import Model
internal import Serving

struct BenchDecodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode",
        abstract: "Measures prefill and decoding of a checkpoint beside what this machine's memory allows.",
        discussion: """
            The limit of a step is the time that reading the weights and the cache it needs takes at the read \
            bandwidth that is measured before and after each turn of four steps. With --positions decoding alone is \
            measured, over caches of that length which hold seeded random numbers instead of a prompt's latents: what \
            a step costs does not depend on them.
            """)

    @Argument(help: "The checkpoint folder.")
    var model: String

    @OptionGroup(title: "Weights")
    var weights: WeightOptions

    @Option(help: "Sequences decoded together, as in 1,8,32.")
    var batch = CountList([1, 8, 32])

    @Option(
        help: """
            Worker processes, as in 0,1,2,4; 0 computes the experts in this process. All of these deployments are held \
            in memory at once, each with all experts, and take turns, pass by pass of prompts and every \
            four steps of decoding; beside 0 the others' speeds are also given as ratios to it.
            """)
    var local = CountList([0])

    @Option(help: "Tokens of each prompt.")
    var prompt = 512

    @Option(help: "Decode over invented caches of so many positions instead of prompts, as in 1k,8k,32k,128k.")
    var positions = CountList([])

    @Option(help: "Decoding steps of each run.")
    var tokens = 32

    @Option(help: "Runs of each batch size, on each of --local by turns.")
    var runs = 1

    @Option(help: "Prompt tokens in one pass.")
    var prefillChunk = 512

    @Option(help: "Arithmetic: f32, or fast (bf16 into products, INT8 where weights are; f32 accumulation).")
    var compute = Compute.fast

    @OptionGroup
    var wire: WireOptions

    @Option(help: "Cores to use. Default: all that this process may use.")
    var threads: Int?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        for (name, value) in [
            ("--prompt", prompt), ("--tokens", tokens), ("--runs", runs), ("--prefill-chunk", prefillChunk),
            ("--threads", threads ?? 1),
        ] where !(1...8192 ~= value) {
            throw ValidationError("\(name) is \(value): give 1 to 8192")
        }
        for value in batch.values where !(1...1024 ~= value) {
            throw ValidationError("--batch has \(value): give 1 to 1024")
        }
        for value in positions.values where !(1...Self.mostPositions ~= value) {
            throw ValidationError("--positions has \(value): give 1 to \(Self.mostPositions)")
        }
        for value in local.values where !(0...256 ~= value) {
            throw ValidationError("--local has \(value): give 0 to 256")
        }
    }

    func run() throws {
        let checkpoint = try Checkpoint(folder: model)
        let runs = try runs(checkpoint.config)
        let processor = Processor(threads: threads ?? Machine.coreCount, compute: compute)
        let decoder = try DecoderModel(from: checkpoint, as: weights.denseDType, team: processor.team)
        let deployed = Deployment.Model(
            checkpoint: checkpoint, processor: processor, exchange: wire.dtype(for: compute),
            maximumTokens: prefillChunk, expertDType: weights.expertDType)
        let memory = MemoryReading(processor)
        var deployments: [(local: Int, Deployment)] = []
        defer { for (_, deployment) in deployments { deployment.close() } }
        var behavior = ClusterBehavior.still
        // As for `serve`: processes that map the same files share their memory.
        if weights.expertDType == nil { behavior.settings.policy = .cohort(CohortPolicy()) }
        for count in local.values {
            deployments.append((count, try Deployment(deployed, workers: count, behavior: behavior)))
        }
        let lines = try runs.flatMap { try measure($0, decoder, deployments, processor, memory) }
        let report = DecodeReport(
            model: model, threads: processor.team.threads, kernelSet: processor.kernels.name,
            compute: compute.rawValue, wire: wire.dtype(for: compute).rawValue, held: weights.held,
            lines: lines)
        try StandardStream.output((json ? try JSONText.of(report) : report.text) + "\n")
    }

    private func runs(_ config: ModelConfig) throws -> [DecodeRun] {
        let runs = batch.values.flatMap { batch in
            positions.values.isEmpty
                ? [DecodeRun(batch: batch, promptLength: prompt, stepCount: tokens)]
                : positions.values.map {
                    DecodeRun(batch: batch, promptLength: $0, isInvented: true, stepCount: tokens)
                }
        }
        for run in runs { try run.check(config) }
        return runs
    }

    /// All deployments by turns: a machine changes from second to second.
    private func measure(
        _ run: DecodeRun, _ decoder: DecoderModel, _ deployments: [(local: Int, Deployment)], _ processor: Processor,
        _ memory: MemoryReading
    ) throws -> [DecodeReport.Line] {
        // Room for every sequence to end inside its last page.
        let positions = run.positions + run.batch * CachePool.pagePositions
        let engines = deployments.map { _, deployment in
            Engine(
                model: decoder, experts: deployment.experts, processor: processor,
                limits: .init(prefillChunk: prefillChunk, cachePositions: positions))
        }
        let bytes = StepBytes(
            decoder.config, held: weights.held, cacheValueByteSize: compute == .fast ? 2 : 4)
        let outcomes = try run.measure(
            byTurns: engines, vocabularySize: decoder.config.vocabularySize, bytes: bytes, runs: runs,
            bandwidth: memory.bandwidth)
        let baseline = deployments.firstIndex { $0.local == 0 }
        return deployments.indices.map { index in
            DecodeReport.Line(
                local: deployments[index].local, run: run, outcome: outcomes[index],
                baseline: baseline.flatMap { $0 == index ? nil : outcomes[$0] })
        }
    }

    /// Twice the longest context that is published.
    private static let mostPositions = 327_680
}
