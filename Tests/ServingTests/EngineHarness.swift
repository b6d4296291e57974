import Checkpoint
import Experts
import Kernels
import Model
import Serving
import TestSupport

/// An engine over a fixture with every expert in this process.
struct EngineHarness {
    let checkpoint: Checkpoint
    let compute: Compute
    let held: HeldDTypes
    var threads = 2

    init(_ fixture: Fixture, compute: Compute, held: HeldDTypes = HeldDTypes(), threads: Int = 2) throws {
        try self.init(Checkpoint(folder: fixture.model), compute: compute, held: held, threads: threads)
    }

    init(_ checkpoint: Checkpoint, compute: Compute, held: HeldDTypes = HeldDTypes(), threads: Int = 2) throws {
        self.checkpoint = checkpoint
        self.compute = compute
        self.held = held
        self.threads = threads
    }

    /// - Parameter wrap: puts something between the engine and the experts.
    func engine(
        prefillChunk: Int = 64, cachePositions: Int = 4096, wrap: (any RoutedExperts) -> any RoutedExperts = { $0 }
    ) throws -> Engine {
        let config = checkpoint.config
        let processor = Processor(threads: threads, compute: compute)
        let model = try DecoderModel(from: checkpoint, predicts: true, as: held.dense)
        let layers = config.denseLayerCount..<config.layerCount + (checkpoint.holdsMTP ? 1 : 0)
        let shard =
            try held.expert.map {
                try ExpertShard(allOf: checkpoint, layers: Array(layers), as: $0, team: processor.team)
            } ?? ExpertShard(allOf: checkpoint, layers: Array(layers))
        let experts = LocalExperts(
            shard: shard, processor: processor,
            hiddenSize: config.hiddenSize, expertsPerToken: config.expertsPerToken, maximumTokens: prefillChunk,
            exchange: .standard(for: compute))
        return Engine(
            model: model, experts: wrap(experts), processor: processor,
            limits: .init(prefillChunk: prefillChunk, cachePositions: cachePositions))
    }

    /// Runs requests that arrive together.
    func run(_ requests: [GenerationRequest], prefillChunk: Int = 64) throws -> [GenerationSequence] {
        let engine = try engine(prefillChunk: prefillChunk)
        let sequences = try requests.map { try engine.submit($0) }
        while engine.hasWork { _ = try engine.step() }
        return sequences
    }

    func candidate(_ prompt: Reference.Prompt) throws -> Candidate {
        let request = GenerationRequest(
            promptIDs: prompt.ids, maximumTokens: prompt.greedy.ids.count, keeps: [.routing, .logits, .prediction])
        let sequence = try run([request])[0]
        return Candidate(
            ids: sequence.steps.map(\.id), logits: sequence.record.logits,
            vocabularySize: checkpoint.config.vocabularySize, predictionLogits: sequence.record.predictionLogits,
            routing: sequence.record.routing.map { .init(layer: $0.key, experts: $0.value.experts) })
    }
}
