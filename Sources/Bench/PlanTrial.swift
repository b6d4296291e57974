package import Experts
package import Kernels
package import Model
internal import Serving

/// Measures the phases of a decoding step, each by itself, and the whole of it.
package struct PlanTrial {
    private let decoder: DecoderModel
    private let processor: Processor
    private let positions: Int
    private let steps: Int

    /// - Parameters:
    ///   - positions: of each sequence in the cache, invented.
    ///   - steps: of each measurement.
    package init(decoder: DecoderModel, processor: Processor, positions: Int, steps: Int) {
        self.decoder = decoder
        self.processor = processor
        self.positions = positions
        self.steps = steps
    }

    /// What is measured of one batch size, a little more in each turn.
    private struct Phases {
        let batch: Int
        let own: DecodeTrial
        let whole: DecodeTrial
        let layer: LayerRun
        var ownSeconds: [Double] = []
        var stepSeconds: [Double] = []
        var outcome: LayerRun.Outcome?

        mutating func takeTurn(steps: Int) throws {
            for _ in 0..<steps { ownSeconds.append(try own.step().seconds) }
            let next = try layer.measure(PlanTrial.stopwatch)
            outcome = outcome.map { $0 + next } ?? next
            for _ in 0..<steps { stepSeconds.append(try whole.step().seconds) }
        }
    }

    /// All phases of all batch sizes by turns: a shared machine changes from second to second, and a phase of one size
    /// predicts those of others.
    /// - Parameters:
    ///   - busySeconds: [workers] how long each has computed so far.
    ///   - progress: called with each turn's number and how many there are.
    /// - Returns: [batches]
    /// - Throws: what the engine throws.
    package func measure(
        batches: [Int], experts: any RoutedExperts, busySeconds: @escaping () -> [Double],
        progress: (Int, Int) -> Void
    ) throws -> [(PredictionReport.Layer, PlanCalibration.Measurement)] {
        var phases = try batches.map { try begin(batch: $0, experts, busySeconds) }
        defer { for trial in phases.flatMap({ [$0.own, $0.whole] }) { trial.end() } }
        let turns = (steps + Self.stepsPerTurn - 1) / Self.stepsPerTurn
        for turn in 0..<turns {
            progress(turn + 1, turns)
            for index in phases.indices {
                try phases[index].takeTurn(steps: min(Self.stepsPerTurn, steps - turn * Self.stepsPerTurn))
            }
        }
        let count = Double(decoder.config.expertLayers.count)
        return phases.compactMap { phase in
            phase.outcome.map { outcome in
                (
                    PredictionReport.Layer(batch: phase.batch, outcome),
                    PlanCalibration.Measurement(
                        batch: phase.batch, coordinatorSeconds: Samples(phase.ownSeconds).median,
                        workerSeconds: count * outcome.experts.median, waySeconds: count * outcome.way.median,
                        stepSeconds: Samples(phase.stepSeconds).median)
                )
            }
        }
    }

    private func begin(
        batch: Int, _ experts: any RoutedExperts, _ busySeconds: @escaping () -> [Double]
    ) throws -> Phases {
        let config = decoder.config
        // As a plan has them: drawn uniformly.
        let trace = RoutingTrace(
            experts: config.expertCount, expertsPerToken: config.expertsPerToken, layers: 1,
            tokens: batch * Self.batches, exponent: 0, seed: UInt64(batch))
        return Phases(
            batch: batch, own: try trial(batch, IdleExperts(team: processor.team)), whole: try trial(batch, experts),
            layer: LayerRun(
                experts: experts, layer: config.expertLayers.lowerBound, trace: trace, tokens: batch,
                hiddenSize: config.hiddenSize, busySeconds: busySeconds))
    }

    /// A batch that has read its prompts.
    private func trial(_ batch: Int, _ experts: any RoutedExperts) throws -> DecodeTrial {
        let run = Self.run(batch: batch, positions: positions, steps: steps)
        let engine = Engine(
            model: decoder, experts: experts, processor: processor,
            limits: .init(
                prefillChunk: batch, cachePositions: run.positions + batch * CachePool.pagePositions))
        var trial = DecodeTrial(run, on: engine)
        try trial.readAll(vocabularySize: decoder.config.vocabularySize, seed: batch)
        return trial
    }

    /// The steps of a batch that are measured.
    package static func run(batch: Int, positions: Int, steps: Int) -> DecodeRun {
        DecodeRun(batch: batch, promptLength: positions, isInvented: true, stepCount: steps)
    }

    private static let stepsPerTurn = 4
    private static let stopwatch = Stopwatch(seconds: 0.4, leastRepetitions: 4, mostRepetitions: 100)
    /// Enough that no cache holds the experts of a batch until it comes round.
    private static let batches = 64
}
