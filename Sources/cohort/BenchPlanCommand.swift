internal import ArgumentParser
internal import Bench
internal import Checkpoint
internal import Cluster
internal import Experts
internal import Foundation
internal import Kernels
internal import Model
internal import Serving

struct BenchPlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Measures this machine as coordinator and as workers, and what `cohort plan` predicts beside it.",
        discussion: """
            The coordinator's part of a step, one layer's dispatch and combine, and whole steps are measured, each by \
            itself and all by turns. The smallest and the largest of --batch set the rates; what they predict of the \
            others, and of every whole step, is a test of the plan. --record keeps the rates for `cohort plan \
            --machine FILE`.
            """)

    @Argument(
        help: """
            The checkpoint folder. Default: R1's widths with one dense and one MoE layer (16 GB), made for the run in \
            the folder for temporary files (TMPDIR) and removed after it.
            """)
    var model: String?

    @Option(help: "Worker processes.")
    var local = 4

    @Option(help: "Sequences decoded together: two numbers or more, as in 1,4,16.")
    var batch = CountList([1, 4, 16])

    @Option(help: "Positions of each sequence in the cache, invented.")
    var positions = 256

    @Option(help: "Steps of each batch size.")
    var tokens = 24

    @OptionGroup
    var weights: WeightOptions

    @OptionGroup
    var wire: WireOptions

    @Option(help: "Cores of the coordinator. Default: all that this process may use.")
    var threads: Int?

    @Flag(help: "Print one JSON object.")
    var json = false

    @Option(help: "Write the rates to this file.")
    var record: String?

    func validate() throws {
        for (name, value, most) in [
            ("--local", local, 64), ("--positions", positions, 131_072), ("--tokens", tokens, 4096),
            ("--threads", threads ?? 1, 1024),
        ] where !(1...most ~= value) {
            throw ValidationError("\(name) is \(value): give 1 to \(most)")
        }
        for value in batch.values where !(1...512 ~= value) {
            throw ValidationError("--batch has \(value): give 1 to 512")
        }
        guard Set(batch.values).count > 1 else {
            throw ValidationError("--batch has one number: give two or more, the rates take a small and a large one")
        }
    }

    func run() throws {
        let file = try record.map { try OutputFile($0, flag: "--record") }
        let temporary = model == nil ? try TemporaryModel(.r1Layers, seed: 1) : nil
        let checkpoint = try temporary?.checkpoint ?? Checkpoint(folder: model ?? "")
        let report = try withExtendedLifetime(temporary) { try measure(checkpoint) }
        try StandardStream.output((json ? try JSONText.of(report) : report.text) + "\n")
        try file?.write(Data(try report.rates.encoded()))
        try file?.close()
    }

    private func measure(_ checkpoint: Checkpoint) throws -> PredictionReport {
        let config = checkpoint.config
        let batches = Set(batch.values).sorted()
        for batch in batches { try PlanTrial.run(batch: batch, positions: positions, steps: tokens).check(config) }
        let processor = Processor(threads: threads ?? Machine.coreCount, compute: .fast)
        let exchange = wire.dtype(for: .fast)
        let trial = PlanTrial(
            decoder: try DecoderModel(from: checkpoint, as: weights.denseDType, team: processor.team),
            processor: processor, positions: positions, steps: tokens)
        let deployment = try Deployment(
            Deployment.Model(
                checkpoint: checkpoint, processor: processor, exchange: exchange,
                maximumTokens: batches[batches.count - 1], expertDType: weights.expertDType),
            workers: local)
        defer { deployment.close() }
        var bandwidth = Self.memoryBandwidth()
        let outcomes = try ProgressLine.shown("measuring") { progress in
            try trial.measure(
                batches: batches, experts: deployment.experts, busySeconds: { deployment.busySeconds },
                progress: { progress.show("turn \($0) of \($1)") })
        }
        bandwidth = max(bandwidth, Self.memoryBandwidth())
        let measurements = outcomes.map(\.1)
        let calibration = PlanCalibration(
            config: config, held: weights.held, wire: WireCost(exchange, hiddenSize: config.hiddenSize), workers: local,
            positions: positions)
        return try PredictionReport(
            model: model ?? "R1's widths, 1 dense and 1 MoE layer", workers: local, threads: processor.team.threads,
            wire: exchange.rawValue, positions: positions,
            rates: try calibration.rates(
                measurements[0], measurements[measurements.count - 1], memoryBandwidth: bandwidth),
            layers: outcomes.map(\.0), measurements: measurements, calibration: calibration)
    }

    /// Of all cores: the best of a few readings.
    private static func memoryBandwidth() -> Double {
        let memory = MemoryReading(Processor(threads: Machine.coreCount, compute: .fast))
        return (0..<4).map { _ in memory.bandwidth() }.max() ?? 0
    }
}
