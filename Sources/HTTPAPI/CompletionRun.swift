internal import Foundation
internal import Serving

/// One completion under way: from the engine's tokens to what the client reads.
struct CompletionRun: Sendable {
    let generation: Generation
    private let request: CompletionRequest
    private let model: ServedModel
    private let metrics: RequestMetrics
    private let id = "cmpl-" + UUID().uuidString.lowercased()
    private let createdSeconds = Int(Date().timeIntervalSince1970)

    private enum Progress {
        case piece(CompletionAssembler.Piece)
        case end(CompletionAssembler.Piece, GenerationSequence.FinishReason, tokenCount: Int)
    }

    init(_ request: CompletionRequest, _ generation: Generation, model: ServedModel, metrics: RequestMetrics) {
        self.request = request
        self.generation = generation
        self.model = model
        self.metrics = metrics
        metrics.noteStart(promptTokens: request.generation.promptIDs.count)
    }

    /// The whole completion.
    func collect() async throws -> CompletionObject {
        var whole = CompletionAssembler.Piece()
        var last: CompletionObject?
        try await follow { progress in
            switch progress {
            case .piece(let piece):
                whole.append(piece)
            case .end(let piece, let reason, let tokenCount):
                whole.append(piece)
                last = object([choice(whole, reason)], .present(usage(tokenCount)))
            }
        }
        guard let last else { throw RunnerError.cancelled }
        return last
    }

    /// The completion as server-sent events. An error after the first is an event too.
    func stream(_ send: ([UInt8]) async throws -> Void) async throws {
        do {
            try await follow { progress in
                switch progress {
                case .piece(let piece):
                    try await send(chunk(piece, nil))
                case .end(let piece, let reason, let tokenCount):
                    try await send(chunk(piece, reason))
                    if request.includesUsage {
                        try await send(ServerSentEvent.data(object([], .present(usage(tokenCount)))))
                    }
                    try await send(ServerSentEvent.done)
                }
            }
        } catch let error as RunnerError {
            try await send(ServerSentEvent.data(APIError(error).body))
        }
    }

    /// Follows the generation to its end.
    private func follow(_ handle: (Progress) async throws -> Void) async throws {
        do {
            let reason = try await pieces(handle)
            metrics.noteEnd(reason == .stop ? .stop : .length)
        } catch RunnerError.cancelled {
            metrics.noteEnd(.cancelled)
            throw RunnerError.cancelled
        } catch {
            generation.cancel()
            metrics.noteEnd(error is RunnerError ? .failed : .cancelled)
            throw error
        }
    }

    private func pieces(_ handle: (Progress) async throws -> Void) async throws -> GenerationSequence.FinishReason {
        var assembler = CompletionAssembler(text: model.text, stops: request.stops, endIDs: request.generation.stopIDs)
        var last: ContinuousClock.Instant?
        for try await event in generation.events {
            switch event {
            case .token(let step, let instant):
                metrics.noteToken(at: instant, after: last, start: generation.start)
                last = instant
                let piece = assembler.append(step)
                guard !assembler.isStopped else {
                    generation.cancel()
                    try await handle(.end(piece, .stop, tokenCount: assembler.tokenCount))
                    return .stop
                }
                if !shown(piece).isEmpty { try await handle(.piece(piece)) }
            case .finished(let reason):
                let piece = assembler.finish()
                let met = assembler.isStopped ? .stop : reason
                try await handle(.end(piece, met, tokenCount: assembler.tokenCount))
                return met
            }
        }
        throw RunnerError.cancelled
    }

    /// What of a piece the client asked for.
    private func shown(_ piece: CompletionAssembler.Piece) -> CompletionAssembler.Piece {
        request.includesLogprobs ? piece : .init(text: piece.text)
    }

    private func chunk(_ piece: CompletionAssembler.Piece, _ reason: GenerationSequence.FinishReason?) -> [UInt8] {
        ServerSentEvent.data(object([choice(piece, reason)], request.includesUsage ? .null : .absent))
    }

    private func choice(
        _ piece: CompletionAssembler.Piece, _ reason: GenerationSequence.FinishReason?
    ) -> CompletionObject.Choice {
        let hasLogprobs = request.includesLogprobs && !piece.tokens.isEmpty
        return .init(
            text: piece.text, logprobs: hasLogprobs ? .init(piece.tokens, text: model.text) : nil,
            finishReason: reason?.rawValue)
    }

    private func object(
        _ choices: [CompletionObject.Choice], _ usage: CompletionObject.Presence<CompletionObject.Usage>
    ) -> CompletionObject {
        CompletionObject(id: id, created: createdSeconds, model: model.name, choices: choices, usage: usage)
    }

    private func usage(_ tokenCount: Int) -> CompletionObject.Usage {
        .init(promptTokens: request.generation.promptIDs.count, completionTokens: tokenCount)
    }
}

extension CompletionAssembler.Piece {
    fileprivate mutating func append(_ other: Self) {
        text += other.text
        tokens += other.tokens
    }
}
