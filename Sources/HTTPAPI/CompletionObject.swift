internal import Foundation
internal import Serving
internal import Tokenization

/// A completion, or a chunk of one, as OpenAI's clients read it.
struct CompletionObject: Encodable, Sendable {
    let id: String
    let created: Int
    let model: String
    let choices: [Choice]
    let usage: Presence<Usage>

    enum Presence<Value: Encodable & Sendable>: Sendable {
        case absent
        case null
        case present(Value)
    }

    struct Usage: Encodable, Equatable, Sendable {
        let promptTokens: Int
        let completionTokens: Int

        enum CodingKeys: String, CodingKey {
            case promptTokens = "prompt_tokens"
            case completionTokens = "completion_tokens"
            case totalTokens = "total_tokens"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(promptTokens, forKey: .promptTokens)
            try container.encode(completionTokens, forKey: .completionTokens)
            try container.encode(promptTokens + completionTokens, forKey: .totalTokens)
        }
    }

    struct Choice: Encodable, Sendable {
        let text: String
        let logprobs: Logprobs?
        let finishReason: String?

        enum CodingKeys: String, CodingKey {
            case index, text, logprobs
            case finishReason = "finish_reason"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(0, forKey: .index)
            try container.encode(text, forKey: .text)
            try container.encode(logprobs, forKey: .logprobs)
            try container.encode(finishReason, forKey: .finishReason)
        }
    }

    /// By token, in four lists.
    struct Logprobs: Encodable, Sendable {
        let tokens: [String]
        let tokenLogprobs: [Double]
        let topLogprobs: [[String: Double]]
        let textOffsets: [Int]

        enum CodingKeys: String, CodingKey {
            case tokens
            case tokenLogprobs = "token_logprobs"
            case topLogprobs = "top_logprobs"
            case textOffsets = "text_offset"
        }

        init(_ tokens: [CompletionAssembler.Token], text: ModelText) {
            self.tokens = tokens.map { text.name(of: $0.step.id) }
            tokenLogprobs = tokens.map { Self.finite($0.step.logProbability) }
            topLogprobs = tokens.map { token in
                let chosen = (text.name(of: token.step.id), Self.finite(token.step.logProbability))
                let top = token.step.top.map { (text.name(of: $0.id), Self.finite($0.logProbability)) }
                return Dictionary([chosen] + top, uniquingKeysWith: max)
            }
            textOffsets = tokens.map(\.start)
        }

        /// JSON has no infinity: what other servers send in its place.
        private static func finite(_ logprob: Double) -> Double { logprob.isFinite ? logprob : -9999 }
    }

    enum CodingKeys: String, CodingKey {
        case id, object, created, model, choices, usage
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode("text_completion", forKey: .object)
        try container.encode(created, forKey: .created)
        try container.encode(model, forKey: .model)
        try container.encode(choices, forKey: .choices)
        switch usage {
        case .absent: break
        case .null: try container.encodeNil(forKey: .usage)
        case .present(let usage): try container.encode(usage, forKey: .usage)
        }
    }
}
