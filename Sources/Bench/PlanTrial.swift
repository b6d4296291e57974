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

    /// - Parameter busySeconds: [workers] how long each has computed so far.
    /// - Throws: what the engine throws.
    package func measure(
        batch: Int, experts: any RoutedExperts, busySeconds: @escaping () -> [Double]
    ) throws -> (PredictionReport.Layer, PlanCalibration.Measurement) {
        let config = decoder.config
        let layers = Array(config.expertLayers)
        // As a plan has them: drawn uniformly.
        let trace = RoutingTrace(
            experts: config.expertCount, expertsPerToken: config.expertsPerToken, layers: 1,
            tokens: batch * Self.batches, exponent: 0, seed: UInt64(batch))
        let run = LayerRun(
            experts: experts, layer: layers[0], trace: trace, tokens: batch, hiddenSize: config.hiddenSize,
            busySeconds: busySeconds)
        // A machine changes from second to second: each phase is measured before and after the whole.
        let own = try step(batch, IdleExperts(team: processor.team))
        let before = try run.measure(Self.stopwatch)
        let whole = try step(batch, experts)
        let outcome = before + (try run.measure(Self.stopwatch))
        let count = Double(layers.count)
        return (
            PredictionReport.Layer(batch: batch, outcome),
            PlanCalibration.Measurement(
                batch: batch, coordinatorSeconds: (own + (try step(batch, IdleExperts(team: processor.team)))).median,
                workerSeconds: count * outcome.experts.median, waySeconds: count * outcome.way.median,
                stepSeconds: whole.median)
        )
    }

    /// Seconds of each of some decoding steps.
    private func step(_ batch: Int, _ experts: any RoutedExperts) throws -> Samples {
        let run = Self.run(batch: batch, positions: positions, steps: steps)
        let engine = Engine(
            model: decoder, experts: experts, processor: processor,
            limits: .init(
                prefillChunk: batch, cachePositions: run.positions + batch * CachePool.pagePositions))
        return Samples(
            try run.stepSeconds(engine, vocabularySize: decoder.config.vocabularySize, seed: batch))
    }

    /// The steps of a batch that are measured.
    package static func run(batch: Int, positions: Int, steps: Int) -> DecodeRun {
        DecodeRun(batch: batch, promptLength: positions, isInvented: true, stepCount: steps)
    }

    private static let stopwatch = Stopwatch(seconds: 1.5, leastRepetitions: 8, mostRepetitions: 400)
    /// Enough that no cache holds the experts of a batch until it comes round.
    private static let batches = 64
}
