/// The body of POST /v1/completions as it comes: every field that is looked at, none of them checked.
struct CompletionBody: Decodable {
    enum Prompt: Equatable {
        case text(String)
        case ids([Int])
    }

    struct StreamOptions: Decodable {
        let includeUsage: Bool?

        enum CodingKeys: String, CodingKey {
            case includeUsage = "include_usage"
        }
    }

    let model: String?
    let prompt: Prompt
    let maxTokens: Int?
    let temperature: Float?
    let topP: Float?
    let topK: Int?
    let minP: Float?
    let seed: Seed?
    let stop: Stop?
    let stream: Bool?
    let streamOptions: StreamOptions?
    let logprobs: Int?
    let ignoreEOS: Bool?
    let count: Int?
    let bestOf: Int?
    let echo: Bool?
    let suffix: String?
    let presencePenalty: Float?
    let frequencyPenalty: Float?
    let logitBias: [String: Float]?

    enum CodingKeys: String, CodingKey {
        case model, prompt, temperature, seed, stop, stream, logprobs, echo, suffix
        case maxTokens = "max_tokens"
        case topP = "top_p"
        case topK = "top_k"
        case minP = "min_p"
        case streamOptions = "stream_options"
        case ignoreEOS = "ignore_eos"
        case count = "n"
        case bestOf = "best_of"
        case presencePenalty = "presence_penalty"
        case frequencyPenalty = "frequency_penalty"
        case logitBias = "logit_bias"
    }
}

extension CompletionBody.Prompt: Decodable {
    /// A list of one prompt stands for that prompt.
    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let ids = try? value.decode([Int].self) {
            self = .ids(ids)
        } else if let texts = try? value.decode([String].self), texts.count == 1 {
            self = .text(texts[0])
        } else if let lists = try? value.decode([[Int]].self), lists.count == 1 {
            self = .ids(lists[0])
        } else {
            throw DecodingError.dataCorruptedError(
                in: value, debugDescription: "give one prompt: a string, or an array of token ids")
        }
    }
}

extension CompletionBody {
    /// 64 bits, signed or not.
    struct Seed: Decodable {
        let value: UInt64

        init(from decoder: any Decoder) throws {
            let number = try decoder.singleValueContainer()
            if let signed = try? number.decode(Int64.self) {
                value = UInt64(bitPattern: signed)
            } else {
                value = try number.decode(UInt64.self)
            }
        }
    }

    struct Stop: Decodable {
        let strings: [String]

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let string = try? value.decode(String.self) {
                strings = [string]
            } else if let strings = try? value.decode([String].self) {
                self.strings = strings
            } else {
                throw DecodingError.dataCorruptedError(
                    in: value, debugDescription: "give a string, or an array of strings")
            }
        }
    }
}
