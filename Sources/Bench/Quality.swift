internal import Foundation
package import Serving

/// How well a model sees tokens coming.
package struct Quality: Sendable {
    private let likelihoods: [GenerationRecord.Likelihood]

    package init(_ likelihoods: [GenerationRecord.Likelihood]) {
        self.likelihoods = likelihoods
    }

    package var tokens: Int { likelihoods.count }

    /// exp of the mean negative log-probability.
    package var perplexity: Double {
        exp(-likelihoods.reduce(0) { $0 + $1.logProbability } / Double(max(1, tokens)))
    }

    /// The share of tokens before which both would have had the same likeliest one.
    package func agreement(with other: Quality) -> Double {
        precondition(tokens == other.tokens, "of the same texts")
        let same = zip(likelihoods, other.likelihoods).count { $0.likeliest == $1.likeliest }
        return Double(same) / Double(max(1, tokens))
    }
}
