import Bench
import Checkpoint
import Experts
import Foundation
import Kernels
import Model
import Serving
import TestSupport
import Testing

/// What holding weights in fewer bits does to a model's predictions.
@Suite struct QualityTests {
    private static func engine(
        _ checkpoint: Checkpoint, _ held: HeldDTypes = HeldDTypes(), wire: ExchangeDType = .bf16
    ) throws -> Engine {
        let config = checkpoint.config
        let processor = Processor(threads: 2, compute: .fast)
        let layers = Array(config.expertLayers)
        let shard =
            try held.expert.map {
                try ExpertShard(allOf: checkpoint, layers: layers, as: $0, team: processor.team)
            } ?? ExpertShard(allOf: checkpoint, layers: layers)
        let experts = LocalExperts(
            shard: shard, processor: processor, hiddenSize: config.hiddenSize,
            expertsPerToken: config.expertsPerToken, maximumTokens: 128, exchange: wire)
        return Engine(
            model: try DecoderModel(from: checkpoint, as: held.dense, team: processor.team), experts: experts,
            processor: processor, limits: .init(prefillChunk: 128, cachePositions: 4096))
    }

    /// Stated in README.md: weights drawn at random make predictions far more fragile than training does.
    @Test("perplexity over the fixture's own text stays within the stated ratio of FP8")
    func perplexityRatios() throws {
        let checkpoint = try Checkpoint(folder: Fixture("tiny-r1-fp8").model)
        let stored = try Self.engine(checkpoint)
        let run = try QualityRun(sampling: 2048, window: 256, from: stored, seed: 1)
        let quality = try run.measure(stored)
        #expect(quality.tokens == 8 * 255)
        #expect(quality.perplexity > 2 && quality.perplexity < 100)
        let bounds: [(HeldDTypes, Double)] = [
            (HeldDTypes(expert: .int8), 1.02), (HeldDTypes(expert: .int4), 1.15),
            (HeldDTypes(expert: .int8, dense: .int8), 1.12),
        ]
        for (held, bound) in bounds {
            let ratio = try run.measure(Self.engine(checkpoint, held)).perplexity / quality.perplexity
            let (experts, dense) = (held.expert?.rawValue ?? "fp8", held.dense?.rawValue ?? "as stored")
            print("tiny-r1-fp8: experts \(experts), dense \(dense): perplexity ratio \(ratio)")
            #expect(ratio > 0.98 && ratio < bound, "experts \(experts), dense \(dense)")
        }
        let same = try run.measure(Self.engine(checkpoint, HeldDTypes(expert: .fp8)))
        #expect(same.perplexity == quality.perplexity && same.agreement(with: quality) == 1)
    }

    /// Stated in README.md, as `cohort bench quality --tokens 2048 --expert-dtype stored --wire f32,fp8` prints it.
    @Test("hidden vectors in f32 or FP8 change the perplexity by no more than stated", arguments: Fixture.all)
    func wire(_ fixture: Fixture) throws {
        let checkpoint = try Checkpoint(folder: fixture.model)
        let standard = try Self.engine(checkpoint)
        let run = try QualityRun(sampling: 2048, window: 256, from: standard, seed: 1)
        let quality = try run.measure(standard)
        // Without a query rank experts are nearly tied, and flip.
        let bounds: [(ExchangeDType, Double)] = [(.f32, 1.01), (.fp8, fixture.name == "qnull-norope" ? 1.1 : 1.03)]
        for (wire, bound) in bounds {
            let ratio = try run.measure(Self.engine(checkpoint, wire: wire)).perplexity / quality.perplexity
            #expect(ratio > 0.99 && ratio < bound, "\(fixture.name), \(wire): \(ratio)")
        }
    }

    @Test("a perplexity is that of the logits, position by position, in any company")
    func perplexityOfLogits() throws {
        let checkpoint = try Checkpoint(folder: Fixture("v2-lite").model)
        let vocabulary = checkpoint.config.vocabularySize
        var generator = SplitMix(seed: 2)
        let texts = [5, 2, 70, 33].map { count in
            (0..<count).map { _ in Int.random(in: 0..<vocabulary, using: &generator) }
        }
        let engine = try Self.engine(checkpoint)
        let quality = try QualityRun(texts: texts).measure(engine)
        var sum = 0.0
        for text in texts {
            let sequence = try engine.submit(
                GenerationRequest(promptIDs: text, maximumTokens: 1, keeps: [.logits, .likelihoods]))
            while engine.hasWork { _ = try engine.step() }
            #expect(sequence.record.likelihoods.count == text.count - 1)
            for (position, next) in text.dropFirst().enumerated() {
                let logits = sequence.record.logits[position * vocabulary..<(position + 1) * vocabulary].map(
                    Double.init)
                let expected = logits[next] - log(logits.reduce(0) { $0 + exp($1) })
                let likelihood = sequence.record.likelihoods[position]
                #expect(abs(likelihood.logProbability - expected) < 1e-7)
                #expect(logits[likelihood.likeliest] == logits.max())
                sum += expected
            }
        }
        #expect(quality.tokens == 4 + 1 + 69 + 32)
        #expect(abs(log(quality.perplexity) + sum / Double(quality.tokens)) < 1e-7)
    }

    @Test("a long text is cut into windows, and a last token alone is left out")
    func windows() {
        #expect(QualityRun(Array(0..<9), window: 4).texts == [[0, 1, 2, 3], [4, 5, 6, 7]])
        #expect(QualityRun(Array(0..<6), window: 4).texts == [[0, 1, 2, 3], [4, 5]])
    }
}
