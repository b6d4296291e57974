internal import Foundation

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

    package init(id: Int, logits: UnsafeBufferPointer<Float>, topCount: Int) {
        let largest = Double(logits[Sampler.indexOfLargest(logits)])
        var sum = 0.0
        for logit in logits { sum += exp(Double(logit) - largest) }
        let offset = largest + log(sum)
        self.id = id
        logProbability = Double(logits[id]) - offset
        top = Sampler.descending(logits, count: topCount).map {
            Choice(id: $0, logProbability: Double(logits[$0]) - offset)
        }
    }
}
