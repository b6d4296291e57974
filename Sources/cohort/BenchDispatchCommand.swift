internal import ArgumentParser
internal import Bench
internal import Checkpoint
internal import Cluster
internal import Dispatcher
internal import Experts
internal import Kernels
internal import Logging

struct BenchDispatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dispatch",
        abstract: "Measures the way to worker processes on this machine and back beside plain TCP of the same bytes.",
        discussion: "One layer of narrow experts, eight for each row; needs no model.")

    @Option(help: "Worker processes.")
    var local = 2

    @Option(help: "Values of a hidden vector.")
    var hidden = 2048

    @OptionGroup
    var wire: WireOptions

    @Option(help: "Tokens of one dispatch.")
    var rows = 1

    @Option(help: "Dispatches to measure.")
    var rounds = 4000

    @Option(help: "Cores of the coordinator. Default: all.")
    var threads: Int?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        for (name, value, most) in [
            ("--local", local, 64), ("--hidden", hidden, 65_536), ("--rows", rows, 4096),
            ("--rounds", rounds, 1_000_000), ("--threads", threads ?? 1, 1024),
        ] where !(1...most ~= value) {
            throw ValidationError("\(name) is \(value): give 1 to \(most)")
        }
    }

    func run() throws {
        let model = try TemporaryModel(.init(hiddenSize: hidden), seed: 1)
        let processor = Processor(threads: threads ?? Machine.coreCount, compute: .fast)
        let deployment = try Deployment(
            Deployment.Model(
                checkpoint: model.checkpoint, processor: processor, exchange: wire.dtype(for: .fast),
                expertLayers: [0], maximumTokens: rows),
            localWorkers: local, parallelism: try Parallelism(tensor: 1, pipeline: 1, workers: local),
            logger: Logger(label: "cohort") { StreamLogHandler.standardError(label: $0) })
        defer { deployment.close() }
        let report = try withExtendedLifetime(model) { try measure(deployment, model.checkpoint.config) }
        try StandardStream.output((json ? try JSONText.of(report) : report.text) + "\n")
    }

    private func measure(_ deployment: Deployment, _ config: ModelConfig) throws -> DispatchReport {
        let routing = self.routing(config)
        let input = AlignedBuffer<Float>(count: rows * hidden)
        for index in 0..<input.count { input.pointer[index] = Float(index % 61 - 30) / 32 }
        let output = AlignedBuffer<Float>(count: rows * hidden)
        func dispatch() throws {
            let flight = try deployment.experts.dispatch(input.pointer, to: routing, layer: 0)
            try deployment.experts.combine(flight, into: output.pointer)
        }
        let before = deployment.activity
        try dispatch()
        let sizes = zip(before, deployment.activity).map {
            PingPong.Sizes(out: Int($1.bytesOut - $0.bytesOut), back: Int($1.bytesIn - $0.bytesIn))
        }.filter { $0.out > 0 }
        let pingPong = try PingPong(sizes)
        let stopwatch = Stopwatch(seconds: Self.seconds, mostRepetitions: max(1, rounds / Self.turns))
        var (dispatches, experts, exchanges): ([Double], [Double], [Samples]) = ([], [], [])
        for _ in 0..<Self.turns {
            _ = try stopwatch.measure { repetition in
                let start = deployment.activity
                let seconds = try Stopwatch.seconds { try dispatch() }
                guard repetition > 0 else { return }
                dispatches.append(seconds)
                experts.append(Self.slowest(start, deployment.activity))
            }
            exchanges.append(try stopwatch.measure { _ in try pingPong.round() })
        }
        return DispatchReport(
            hiddenSize: hidden, rows: rows, wire: wire.dtype(for: .fast).rawValue, sizes: sizes,
            dispatches: dispatches, experts: experts,
            pingPong: exchanges.dropFirst().reduce(exchanges[0], +))
    }

    /// Seconds that the slowest worker has computed meanwhile.
    private static func slowest(_ before: [WorkerActivity], _ after: [WorkerActivity]) -> Double {
        zip(before, after).map { Double($1.busyMicroseconds - $0.busyMicroseconds) / 1e6 }.max() ?? 0
    }

    /// Each row's experts are spread over all of them.
    private func routing(_ config: ModelConfig) -> Routing {
        let routing = Routing(maximumTokens: rows, expertsPerToken: config.expertsPerToken)
        routing.begin(tokens: rows)
        let step = config.expertCount / config.expertsPerToken
        for pair in 0..<routing.pairCount {
            let (row, slot) = pair.quotientAndRemainder(dividingBy: config.expertsPerToken)
            routing.experts[pair] = Int32((slot * (step + 1) + row) % config.expertCount)
            routing.weights[pair] = 0.125
        }
        return routing
    }

    /// Both sides are measured by turns, since a machine changes from second to second.
    private static let turns = 8
    /// For each side of a turn.
    private static let seconds = 1.0
}
