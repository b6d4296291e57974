internal import ArgumentParser
internal import Bench
internal import Checkpoint
internal import Kernels

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

    @Option(help: "Cores of the coordinator. Default: all that this process may use.")
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
                maximumTokens: rows),
            workers: local)
        defer { deployment.close() }
        let report = try withExtendedLifetime(model) { try measure(deployment, model.checkpoint.config) }
        try StandardStream.output((json ? try JSONText.of(report) : report.text) + "\n")
    }

    private func measure(_ deployment: Deployment, _ config: ModelConfig) throws -> DispatchReport {
        let run = LayerRun(
            experts: deployment.experts, layer: 0, trace: trace(config), tokens: rows, hiddenSize: hidden,
            busySeconds: { deployment.busySeconds })
        let before = deployment.activity
        try run.run(batch: 0)
        let sizes = zip(before, deployment.activity).map {
            PingPong.Sizes(out: $1.bytesOut - $0.bytesOut, back: $1.bytesIn - $0.bytesIn)
        }.filter { $0.out > 0 }
        let pingPong = try PingPong(sizes)
        let stopwatch = Stopwatch(seconds: Self.seconds, mostRepetitions: max(1, rounds / Self.turns))
        let turns = try (0..<Self.turns).map { _ in
            (try run.measure(stopwatch), try stopwatch.measure { _ in try pingPong.round() })
        }
        return DispatchReport(
            hiddenSize: hidden, rows: rows, wire: wire.dtype(for: .fast).rawValue, sizes: sizes,
            outcome: turns.dropFirst().reduce(turns[0].0) { $0 + $1.0 },
            pingPong: turns.dropFirst().reduce(turns[0].1) { $0 + $1.1 })
    }

    /// One batch, so that every dispatch has the same bytes; each row's experts are spread over all of them.
    private func trace(_ config: ModelConfig) -> RoutingTrace {
        let slots = config.expertsPerToken
        let step = config.expertCount / slots
        let experts = (0..<rows * slots).map { pair in
            let (row, slot) = pair.quotientAndRemainder(dividingBy: slots)
            return Int32((slot * (step + 1) + row) % config.expertCount)
        }
        return RoutingTrace(experts: config.expertCount, expertsPerToken: slots, layers: [experts])
    }

    /// Both sides are measured by turns, since a machine changes from second to second.
    private static let turns = 8
    /// For each side of a turn.
    private static let seconds = 1.0
}
