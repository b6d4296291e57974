/// What to generate, and what to keep of how it came about.
package struct GenerationRequest: Sendable {
    package var promptIDs: [Int]
    package var maximumTokens: Int
    package var sampling: SamplingParameters
    /// Tokens that end the generation.
    package var stopIDs: Set<Int>
    /// How many of the likeliest tokens to name at each step.
    package var topCount: Int
    package var keeps: Keeps

    /// Parts of the computation that are kept for inspection.
    package struct Keeps: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        /// Each mixture layer's experts and weights, for every position.
        package static let routing = Keeps(rawValue: 1)
        /// The logits of every position.
        package static let logits = Keeps(rawValue: 2)
        /// The MTP layer's logits for the step after the prompt.
        package static let prediction = Keeps(rawValue: 4)
        /// How likely each token of the prompt is after those before it.
        package static let likelihoods = Keeps(rawValue: 8)
    }

    package init(
        promptIDs: [Int], maximumTokens: Int, sampling: SamplingParameters = .greedy, stopIDs: Set<Int> = [],
        topCount: Int = 0, keeps: Keeps = []
    ) {
        self.promptIDs = promptIDs
        self.maximumTokens = maximumTokens
        self.sampling = sampling
        self.stopIDs = stopIDs
        self.topCount = topCount
        self.keeps = keeps
    }
}

/// A request that cannot be served as it is.
package enum RequestError: Error, Equatable, CustomStringConvertible {
    case emptyPrompt
    case noTokensAsked(Int)
    case tokenOutsideVocabulary(id: Int, vocabularySize: Int)
    case tooLong(positions: Int, maximum: Int, limit: String)
    case tooManyTop(Int, vocabularySize: Int)
    case sampling(name: String, value: String, allowed: String)

    package var description: String {
        switch self {
        case .emptyPrompt:
            "the prompt has no tokens: give at least one"
        case .noTokensAsked(let count):
            "the number of tokens to generate is \(count): ask for at least 1"
        case .tokenOutsideVocabulary(let id, let size):
            "the prompt has the token id \(id), but the vocabulary has \(size) tokens: ids go from 0 to \(size - 1)"
        case .tooLong(let positions, let maximum, let limit):
            "prompt and completion need \(positions) positions, but \(limit) allows \(maximum): shorten the prompt or "
                + "ask for fewer tokens"
        case .tooManyTop(let count, let size):
            "\(count) top log-probabilities are asked for: ask for 0 to \(size)"
        case .sampling(let name, let value, let allowed):
            "\(name) is \(value): give \(allowed)"
        }
    }
}
