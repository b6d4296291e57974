/// One generated token with natural log-probabilities over the whole vocabulary, before temperature and filters.
package struct TokenStep: Sendable, Equatable {
    package struct Choice: Sendable, Equatable {
        package let id: Int
        package let logProbability: Double
    }

    package let id: Int
    package let logProbability: Double
    /// The likeliest tokens, likeliest first.
    package let top: [Choice]

    /// - Parameters:
    ///   - logits: of the whole vocabulary.
    ///   - logSum: the natural logarithm of the sum of their exponentials.
    ///   - ranking: of the vocabulary.
    package init(id: Int, logits: UnsafeBufferPointer<Float>, logSum: Double, topCount: Int, ranking: Ranking) {
        self.id = id
        logProbability = Double(logits[id]) - logSum
        top = ranking.largest(topCount, of: logits).map {
            Choice(id: $0, logProbability: Double(logits[$0]) - logSum)
        }
    }
}
