internal import Foundation

/// Chooses a token from logits. The draw depends on the seed and the step alone, so a request's tokens do not depend on
/// its company. Filters apply in the order temperature, top-k, top-p, min-p, as in transformers.
package struct Sampler {
    private let parameters: SamplingParameters
    private let ranking: Ranking

    /// - Parameter ranking: of the vocabulary.
    package init(parameters: SamplingParameters, ranking: Ranking) {
        self.parameters = parameters
        self.ranking = ranking
    }

    /// - Parameters:
    ///   - logits: [vocabulary]; none is NaN, and not all are infinite.
    ///   - largest: the index of the largest of them, the first of equals.
    ///   - step: the number of tokens generated before this one.
    package func sample(_ logits: UnsafeBufferPointer<Float>, largest: Int, step: Int) -> Int {
        guard parameters.temperature > 0 else { return largest }
        let (temperature, highest) = (Double(parameters.temperature), Double(logits[largest]))
        let least = Float(highest - temperature * Self.reach).nextDown
        let most = parameters.topK == 0 ? logits.count : parameters.topK
        return ranking.withTokens(of: logits, from: least, most: most) { tokens, memory in
            for (index, token) in tokens.enumerated() {
                memory[index] = exp((Double(token.logit) - highest) / temperature)
            }
            let candidates = filter(UnsafeMutableBufferPointer(start: memory, count: tokens.count))
            return tokens[Self.draw(candidates, at: uniform(step: step))].id
        }
    }

    /// Turns the terms of a softmax, largest first, into the probabilities of those that top-p and min-p keep.
    private func filter(_ terms: UnsafeMutableBufferPointer<Double>) -> UnsafeMutableBufferPointer<Double> {
        var kept = terms
        Self.normalize(kept)
        if parameters.topP < 1 {
            kept = Self.first(Self.nucleus(kept, reaching: Double(parameters.topP)), of: kept)
            Self.normalize(kept)
        }
        if parameters.minP > 0 {
            let least = kept[0] * Double(parameters.minP)
            kept = Self.first(kept.firstIndex { $0 < least } ?? kept.count, of: kept)
            Self.normalize(kept)
        }
        return kept
    }

    private static func first(
        _ count: Int, of numbers: UnsafeMutableBufferPointer<Double>
    ) -> UnsafeMutableBufferPointer<Double> {
        UnsafeMutableBufferPointer(rebasing: numbers[..<count])
    }

    /// How many of the likeliest together are as likely as `share`.
    private static func nucleus(_ probabilities: UnsafeMutableBufferPointer<Double>, reaching share: Double) -> Int {
        var reached = 0.0
        let last = probabilities.firstIndex {
            reached += $0
            return reached >= share
        }
        return last.map { $0 + 1 } ?? probabilities.count
    }

    private static func draw(_ probabilities: UnsafeMutableBufferPointer<Double>, at point: Double) -> Int {
        var reached = 0.0
        let drawn = probabilities.firstIndex {
            reached += $0
            return point < reached
        }
        return drawn ?? probabilities.count - 1
    }

    private static func normalize(_ numbers: UnsafeMutableBufferPointer<Double>) {
        let sum = numbers.reduce(0, +)
        for index in numbers.indices { numbers[index] /= sum }
    }

    /// A number in 0 ..< 1 from the seed and the step, by SplitMix64's mixing function (Steele et al., 2014).
    private func uniform(step: Int) -> Double {
        var state = parameters.seed &+ 0x9E37_79B9_7F4A_7C15 &* (UInt64(step) &+ 1)
        state = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        state = (state ^ (state >> 27)) &* 0x94D0_49BB_1331_11EB
        state ^= state >> 31
        return Double(state >> 11) * 0x1p-53
    }

    /// Tokens whose logits, over the temperature, are farther than this below the largest are left out: each has less
    /// than 2^-57 of the largest's probability, too little to change the sum of those before it by a bit.
    private static let reach = 40.0
}
