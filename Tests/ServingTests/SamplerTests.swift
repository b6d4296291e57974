import Foundation
import Serving
import TestSupport
import Testing

@Suite struct SamplerTests {
    private let logits: [Float] = [1, 3, 2, -1, 3, 0.5]

    private func draw(_ parameters: SamplingParameters, step: Int = 0) -> Int {
        let sampler = Sampler(parameters: parameters, ranking: Ranking(vocabularySize: logits.count))
        return logits.withUnsafeBufferPointer { sampler.sample($0, largest: 1, step: step) }
    }

    private func frequencies(_ parameters: SamplingParameters, draws: Int = 20_000) -> [Double] {
        var counts = Array(repeating: 0, count: logits.count)
        for step in 0..<draws { counts[draw(parameters, step: step)] += 1 }
        return counts.map { Double($0) / Double(draws) }
    }

    @Test("greedy takes the likeliest, the lower id at a tie")
    func greedy() {
        #expect(draw(.greedy) == 1)
    }

    @Test("frequencies follow the softmax of the logits over the temperature")
    func temperature() {
        let seen = frequencies(SamplingParameters(temperature: 0.7, seed: 3))
        let weights = logits.map { exp(Double($0) / 0.7) }
        for (share, weight) in zip(seen, weights) {
            #expect(abs(share - weight / weights.reduce(0, +)) < 0.015)
        }
    }

    @Test("top-k, top-p and min-p leave out what they should")
    func filters() {
        let topK = frequencies(SamplingParameters(temperature: 1, topK: 3, seed: 1))
        #expect(topK[0] == 0 && topK[3] == 0 && topK[5] == 0 && topK[2] > 0)
        let topP = frequencies(SamplingParameters(temperature: 1, topP: 0.75, seed: 1))
        #expect(topP[2] == 0 && abs(topP[1] - 0.5) < 0.02 && abs(topP[4] - 0.5) < 0.02)
        let minP = frequencies(SamplingParameters(temperature: 1, minP: 0.3, seed: 1))
        #expect(minP[2] > 0 && minP[0] == 0)
    }

    @Test("the same seed and step draw the same, another seed draws another sequence")
    func seeds() {
        let run = { (seed: UInt64) in
            (0..<50).map { self.draw(SamplingParameters(temperature: 2, seed: seed), step: $0) }
        }
        #expect(run(5) == run(5))
        #expect(run(5) != run(6))
    }

    @Test("log-probabilities are those of the whole softmax, and the top is sorted")
    func logProbabilities() {
        let logSum = log(logits.reduce(0) { $0 + exp(Double($1)) })
        let ranking = Ranking(vocabularySize: logits.count)
        let step = logits.withUnsafeBufferPointer {
            TokenStep(id: 2, logits: $0, logSum: logSum, topCount: 3, ranking: ranking)
        }
        #expect(abs(step.logProbability - (2 - logSum)) < 1e-12)
        #expect(step.top.map(\.id) == [1, 4, 2])
    }

    @Test(
        "a choice is that of a sampler that sorts the vocabulary and filters lists",
        arguments: [0.05, 0.6, 1, 5] as [Float], [0, 1, 40, 64, 65, 900])
    func sortedVocabulary(temperature: Float, topK: Int) {
        var generator = SplitMix(seed: UInt64(topK) + UInt64(temperature * 100))
        let ranking = Ranking(vocabularySize: 1000)
        var distinct: Set<Int> = []
        for step in 0..<60 {
            // With ties, zeros of both signs and logits that no sum feels.
            let spread: Float = [0.5, 8, 100][step % 3]
            let logits = (0..<1000).map { _ in Float(Int.random(in: -60...20, using: &generator)) / 60 * spread }
            let parameters = SamplingParameters(
                temperature: temperature, topK: topK, topP: [1, 0.95, 0.3][step / 3 % 3], minP: [0, 0.05][step % 2],
                seed: UInt64(step))
            let largest = logits.indices.max { (logits[$0], -$0) < (logits[$1], -$1) } ?? 0
            let chosen = logits.withUnsafeBufferPointer {
                Sampler(parameters: parameters, ranking: ranking).sample($0, largest: largest, step: 0)
            }
            var points = SplitMix(seed: UInt64(step))
            let point = Double(points.next() >> 11) * 0x1p-53
            #expect(chosen == SortingSampler(parameters: parameters).sample(logits, at: point))
            distinct.insert(chosen)
        }
        #expect(distinct.count > 20)
    }

    @Test("the largest of many are found in order, ties to the lower id")
    func largest() {
        var generator = SplitMix(seed: 11)
        let values = (0..<5000).map { _ in Float(Int.random(in: -200...200, using: &generator)) }
        let expected = values.indices.sorted { (-values[$0], $0) < (-values[$1], $1) }
        let ranking = Ranking(vocabularySize: values.count)
        values.withUnsafeBufferPointer {
            for count in [0, 1, 5, 40, 64, 65, 4999, 5000] {
                #expect(ranking.largest(count, of: $0) == Array(expected.prefix(count)))
            }
        }
    }
}
