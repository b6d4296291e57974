internal import Model
package import Serving

/// Token sequences whose likelihood an engine is asked for: what is held in fewer bits sees them coming a little less.
package struct QualityRun {
    /// Two tokens or more each.
    package let texts: [[Int]]

    package init(texts: [[Int]]) {
        self.texts = texts
    }

    /// Cuts one text.
    /// - Parameter window: tokens of a piece; a single one that is left over is left out.
    package init(_ ids: [Int], window: Int) {
        texts = stride(from: 0, to: ids.count, by: window).map { Array(ids[$0..<min($0 + window, ids.count)]) }
            .filter { $0.count > 1 }
    }

    /// Texts that the engine's own model makes up, sampled at temperature 1 after one random token: no file is needed,
    /// and the perplexity ratio of another model is exp of its divergence from this one.
    /// - Parameters:
    ///   - tokens: in all.
    ///   - window: of each text.
    /// - Throws: what the engine throws.
    package init(sampling tokens: Int, window: Int, from engine: Engine, seed: UInt64) throws {
        let requests = stride(from: 0, to: tokens, by: window).enumerated().map { number, first in
            GenerationRequest(
                promptIDs: [
                    Int((seed &+ UInt64(number)) &* 0x9E37_79B9_7F4A_7C15 >> 33) % engine.config.vocabularySize
                ],
                maximumTokens: max(1, min(window, tokens - first) - 1),
                sampling: SamplingParameters(temperature: 1, topP: 1, seed: seed &+ UInt64(number)))
        }
        texts = try Self.run(requests, on: engine).map { $0.request.promptIDs + $0.steps.map(\.id) }
    }

    /// How likely the tokens of all texts are, but for the first of each.
    /// - Throws: what the engine throws.
    package func measure(_ engine: Engine) throws -> Quality {
        let requests = texts.map { GenerationRequest(promptIDs: $0, maximumTokens: 1, keeps: .likelihoods) }
        return Quality(try Self.run(requests, on: engine).flatMap(\.record.likelihoods))
    }

    /// Cache positions that each text takes.
    package static func positions(window: Int) -> Int { window + CachePool.pagePositions }

    /// In order, as many at a time as the cache has room for.
    private static func run(_ requests: [GenerationRequest], on engine: Engine) throws -> [GenerationSequence] {
        var sequences: [GenerationSequence] = []
        while sequences.count < requests.count || engine.hasWork {
            while sequences.count < requests.count, engine.sequenceCount < mostSequences,
                engine.sequenceCount == 0 || engine.hasRoom(for: requests[sequences.count])
            {
                sequences.append(try engine.submit(requests[sequences.count]))
            }
            for emission in try engine.step() { _ = try emission.outcome.get() }
        }
        return sequences
    }

    /// Decoded together.
    package static let mostSequences = 16
}
