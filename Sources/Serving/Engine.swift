package import Checkpoint
package import Experts
package import Kernels
package import Model

/// Generates tokens for any number of requests in shared batches. Used from one thread.
package final class Engine {
    package struct Limits: Sendable {
        /// Rows of one pass: prompt tokens of a chunk, and one row per decoding sequence.
        package var prefillChunk: Int
        /// Positions that all sequences' caches may hold together.
        package var cachePositions: Int

        package init(prefillChunk: Int, cachePositions: Int) {
            self.prefillChunk = prefillChunk
            self.cachePositions = cachePositions
        }
    }

    /// What a step brought a request: a token, or its end.
    package struct Emission {
        package let sequence: GenerationSequence
        package let outcome: Result<TokenStep, GenerationError>
    }

    private struct Running {
        let pass: ForwardPass
        let parts: [Scheduler.Part]
        /// Where nobody keeps it, nil.
        let routing: PassRouting?
    }

    package let limits: Limits
    private let model: DecoderModel
    private let experts: any RoutedExperts
    private let processor: Processor
    private let scheduler: Scheduler
    private let pipeline: Pipeline
    private let pool: CachePool
    private let head: SamplingHead
    private var workspaces: [Workspace] = []
    private var sequences: [GenerationSequence] = []
    private var running: [Running] = []
    private var nextIdentifier = 0

    package init(model: DecoderModel, experts: any RoutedExperts, processor: Processor, limits: Limits) {
        self.model = model
        self.experts = experts
        self.processor = processor
        self.limits = limits
        scheduler = Scheduler(maximumRows: limits.prefillChunk, passCount: experts.stageCount)
        pipeline = Pipeline(experts: experts)
        pool = CachePool(
            layerCount: model.cacheLayerCount, width: model.config.latentRank + model.config.ropeDimension,
            compute: processor.compute, maximumPositions: limits.cachePositions)
        head = SamplingHead(model: model)
    }

    /// Runs passes until at least one comes to its end.
    /// - Returns: what it brought; empty when a chunk of a prompt ended, or nothing is left to do.
    /// - Throws: what the experts throw; then `abandon` is the only way on.
    package func step() throws -> [Emission] {
        try processor.team.withPinnedCaller { try run() }
    }

    private func run() throws -> [Emission] {
        while true {
            if pipeline.hasRoom || pipeline.hasRoomBeside && scheduler.hasPromptForPass(sequences) { try admit() }
            guard !pipeline.isEmpty else { return [] }
            let finished = try pipeline.advance()
            guard finished.isEmpty else { return try finished.flatMap(collect) }
        }
    }

    /// Adds a request. It runs in the steps that follow, together with the others.
    /// - Throws: `RequestError` when it cannot be served; `CacheError` when there is no room for it now.
    package func submit(_ request: GenerationRequest) throws -> GenerationSequence {
        try submit(request, inventing: 0)
    }

    /// For measurements: the first `positions` of the prompt are not computed, their latents are invented.
    package func submit(_ request: GenerationRequest, inventing positions: Int) throws -> GenerationSequence {
        try Self.validate(request, for: model.config, cachePositions: limits.cachePositions)
        let cache = LatentCache(pool: pool)
        try cache.reserve(request.promptIDs.count + request.maximumTokens)
        cache.invent(positions: positions, seed: UInt64(nextIdentifier))
        let sequence = GenerationSequence(
            request, identifier: nextIdentifier, cache: cache, cachedPositions: positions)
        nextIdentifier += 1
        sequences.append(sequence)
        return sequence
    }

    package var config: ModelConfig { model.config }

    /// Requests that run.
    package var sequenceCount: Int { sequences.count }

    /// Whether a step has anything to do; after a cancellation it may be no more than to end the pass under way.
    package var hasWork: Bool { !sequences.isEmpty || !running.isEmpty }

    /// Positions that no request has taken.
    package var freePositions: Int { pool.freePages * CachePool.pagePositions }

    /// Whether `submit` would find room in the cache now.
    package func hasRoom(for request: GenerationRequest) -> Bool {
        request.promptIDs.count + request.maximumTokens <= freePositions
    }

    /// Gives up one request: no token of it is emitted any more. Its room in the cache comes free with the pass that is
    /// under way.
    package func cancel(_ sequence: GenerationSequence) {
        sequence.cancel()
        sequences.removeAll { $0 === sequence }
    }

    /// Gives up every request, after an error.
    package func abandon() {
        pipeline.abandon()
        experts.abandon()
        workspaces.append(contentsOf: running.map(\.pass.workspace))
        running.removeAll()
        sequences.removeAll()
    }

    private func admit() throws {
        let parts = scheduler.schedule(sequences)
        guard !parts.isEmpty else { return }
        let batch = Batch(parts.map(\.segment))
        let workspace =
            workspaces.popLast() ?? Workspace(model.config, processor: processor, maximumRows: limits.prefillChunk)
        let isKept = parts.contains { $0.sequence.request.keeps.contains(.routing) }
        let routing =
            isKept ? PassRouting(rowCount: batch.rowCount, expertsPerToken: model.config.expertsPerToken) : nil
        let pass = model.begin(batch, workspace) { routing?.append($1, layer: $0) }
        running.append(Running(pass: pass, parts: parts, routing: routing))
        pipeline.admit(pass)
    }

    /// Samples the sequences whose last token a finished pass has computed.
    private func collect(_ pass: ForwardPass) throws -> [Emission] {
        guard let index = running.firstIndex(where: { $0.pass === pass }) else { return [] }
        let ended = running.remove(at: index)
        model.finish(pass)
        keepRouting(of: ended)
        let emissions = head.sample(ended.parts, pass.workspace)
        for emission in emissions where emission.sequence.steps.count == 1 {
            try predict(emission.sequence, pass.workspace)
        }
        workspaces.append(pass.workspace)
        sequences.removeAll { $0.state != .running }
        return emissions
    }

    private func keepRouting(of ended: Running) {
        guard let routing = ended.routing else { return }
        var row = 0
        for part in ended.parts {
            part.sequence.record.keepRouting(routing, rows: row..<row + part.positions.count)
            row += part.positions.count
        }
    }

    /// The MTP layer over the whole prompt, once its first token is known.
    private func predict(_ sequence: GenerationSequence, _ workspace: Workspace) throws {
        guard sequence.request.keeps.contains(.prediction), let prediction = model.prediction else { return }
        let (hiddenSize, count) = (model.config.hiddenSize, sequence.request.promptIDs.count)
        for first in stride(from: 0, to: count, by: limits.prefillChunk) {
            let range = first..<min(first + limits.prefillChunk, count)
            let next = sequence.tokens[range.lowerBound + 1..<range.upperBound + 1]
            let batch = Batch([.init(cache: sequence.cache, tokens: next, firstPosition: first)])
            let pass = sequence.record.withPromptHidden(from: first * hiddenSize) {
                model.beginPrediction(batch, hidden: $0, workspace)
            }
            while !pass.isFinished { try pass.advance(experts) }
            guard range.upperBound == count else { continue }
            sequence.record.predictionLogits = Array(
                unsafeUninitializedCapacity: model.config.vocabularySize
            ) { buffer, count in
                guard let base = buffer.baseAddress else { return }
                prediction.logits(row: range.count - 1, workspace, into: base)
                count = buffer.count
            }
        }
    }

    /// Whether a request can be served at all.
    package static func validate(
        _ request: GenerationRequest, for config: ModelConfig, cachePositions: Int
    ) throws(RequestError) {
        guard !request.promptIDs.isEmpty else { throw .emptyPrompt }
        guard request.maximumTokens > 0 else { throw .noTokensAsked(request.maximumTokens) }
        for id in request.promptIDs where !(0..<config.vocabularySize ~= id) {
            throw .tokenOutsideVocabulary(id: id, vocabularySize: config.vocabularySize)
        }
        guard 0...config.vocabularySize ~= request.topCount else {
            throw .tooManyTop(request.topCount, vocabularySize: config.vocabularySize)
        }
        let (positions, overflow) = request.promptIDs.count.addingReportingOverflow(request.maximumTokens)
        guard !overflow, positions <= config.maximumPositions else {
            throw .tooLong(
                positions: positions, maximum: config.maximumPositions, limit: "the model's max_position_embeddings")
        }
        guard positions <= cachePositions else {
            throw .tooLong(positions: positions, maximum: cachePositions, limit: "the KV cache")
        }
        try request.sampling.validate()
    }
}
