internal import ArgumentParser
internal import Bench
internal import Checkpoint

struct BenchClusterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Measures what a rebalance, a scale-out, a drain and a killed worker cost those who wait for tokens.",
        discussion: """
            Worker processes on this machine serve skewed routing, layer by layer, while the cluster changes. The \
            longest gap is the longest time between two steps; every output is compared with what came before. The \
            coordinator has one thread and nothing but dispatch and combine to do: attention and the rest of a step \
            are left out.
            """)

    @Argument(help: "The checkpoint folder. Default: two layers of 256 small experts, made for the run.")
    var model: String?

    @Option(help: "Worker processes at the start.")
    var local = 4

    @Option(help: "Tokens of one step.")
    var tokens = 32

    @Option(help: "Seconds of each undisturbed phase.")
    var seconds = 3

    @Option(help: "Experts' worth of redundant slots per layer once rebalanced. Default: an eighth of the experts.")
    var redundantExperts: Int?

    @Option(help: "The skew of the routing: the expert of rank r is chosen as 1 / r^SKEW.")
    var zipf = 1.0

    @Option(help: "Routing to replay instead: the output of `cohort generate MODEL --json --routing`.")
    var trace: String?

    @Option(help: "What filling slots may move in all, such as 500MB/s. Default: what the machine gives.")
    var migrationBandwidth: TransferRate?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        for (name, value, range) in [
            ("--local", local, 2...64), ("--tokens", tokens, 1...4096), ("--seconds", seconds, 1...600),
            ("--redundant-experts", redundantExperts ?? 0, 0...65_536),
        ] where !(range ~= value) {
            throw ValidationError("\(name) is \(value): give \(range.lowerBound) to \(range.upperBound)")
        }
        guard 0...4 ~= zipf else { throw ValidationError("--zipf is \(zipf): give 0 to 4") }
    }

    func run() throws {
        let shape = TemporaryModel.Shape(hiddenSize: 1024, layers: 2, experts: 256, width: 256)
        let given = try model.map { try Checkpoint(folder: $0) }
        let trace = try routingTrace(
            experts: given?.config.expertCount ?? shape.experts,
            expertsPerToken: given?.config.expertsPerToken ?? TemporaryModel.Shape.expertsPerToken,
            layers: given?.config.expertLayers.count ?? shape.layers)
        let policies = try PolicyLevels(trace, batch: tokens).levels
        let temporary = given == nil ? try TemporaryModel(shape, seed: 1) : nil
        let report = try withExtendedLifetime(temporary) {
            guard let checkpoint = given ?? temporary?.checkpoint else { preconditionFailure("given or made") }
            return try measure(checkpoint, trace, policies)
        }
        try StandardStream.output((json ? try JSONText.of(report) : report.text) + "\n")
        let failures = report.phases.reduce(0) { $0 + $1.failedSteps }
        if failures > 0 { throw WorkError("\(failures) steps failed, and so would have the requests in them") }
        if report.phases.contains(where: { !$0.isExact }) { throw WorkError("results changed while the cluster did") }
    }

    private func measure(
        _ checkpoint: Checkpoint, _ trace: RoutingTrace, _ policies: [ClusterReport.Policies]
    ) throws -> ClusterReport {
        var phases: [ClusterReport.Phase] = []
        var planning = 0.0
        for plan in [
            ClusterTrial.Plan.lively(redundant: redundantExperts ?? checkpoint.config.expertCount / 8), .replicated,
        ] {
            let trial = try ClusterTrial(
                checkpoint, trace: trace, workers: local, tokens: tokens, seconds: Double(seconds),
                migrationBandwidth: migrationBandwidth?.bytesPerSecond, plan)
            defer { trial.close() }
            phases += try trial.phases()
            if case .lively = plan { planning = trial.planningSeconds() }
        }
        return ClusterReport(
            workers: local, tokensPerStep: tokens, trace: self.trace ?? "Zipf(\(zipf))",
            layers: checkpoint.config.expertLayers.count, phases: phases, planningSeconds: planning,
            policies: policies)
    }

    private func routingTrace(experts: Int, expertsPerToken: Int, layers: Int) throws -> RoutingTrace {
        if let trace {
            return try RoutingTrace(
                json: try NamedFile.bytes(
                    of: trace, what: "routing trace", maximumByteSize: Self.maximumTraceByteSize),
                file: trace, experts: experts, expertsPerToken: expertsPerToken)
        }
        return RoutingTrace(
            experts: experts, expertsPerToken: expertsPerToken, layers: layers,
            tokens: Self.traceTokens / tokens * tokens + tokens, exponent: zipf, seed: 1)
    }

    /// Enough for the loads to show the skew, few enough that every batch comes round.
    private static let traceTokens = 4096
    /// A position of DeepSeek-R1 takes some 10 kB.
    private static let maximumTraceByteSize = 1 << 30
}
