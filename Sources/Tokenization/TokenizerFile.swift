internal import Foundation

/// `tokenizer.json` as it stands in the file, typed but not yet checked.
struct TokenizerFile: Decodable {
    let addedTokens: [AddedToken]?
    let normalizer: Component?
    let preTokenizer: Component?
    let decoder: Component?
    let model: Model

    enum CodingKeys: String, CodingKey {
        case addedTokens = "added_tokens"
        case normalizer
        case preTokenizer = "pre_tokenizer"
        case decoder
        case model
    }

    struct AddedToken: Decodable {
        let id: Int
        let content: String
        let special: Bool?
        let normalized: Bool?
        let singleWord: Bool?
        let lstrip: Bool?
        let rstrip: Bool?

        enum CodingKeys: String, CodingKey {
            case id, content, special, normalized, lstrip, rstrip
            case singleWord = "single_word"
        }
    }

    /// A normalizer, pre-tokenizer or decoder: one shape for all, the fields of the others absent.
    struct Component: Decodable {
        let type: String
        let normalizers: [Component]?
        let pretokenizers: [Component]?
        let decoders: [Component]?
        let pattern: [String: String]?
        let behavior: String?
        let invert: Bool?
        let individualDigits: Bool?
        let addPrefixSpace: Bool?
        let useRegex: Bool?

        enum CodingKeys: String, CodingKey {
            case type, normalizers, pretokenizers, decoders, pattern, behavior, invert
            case individualDigits = "individual_digits"
            case addPrefixSpace = "add_prefix_space"
            case useRegex = "use_regex"
        }
    }

    struct Model: Decodable {
        let type: String?
        let vocabulary: [String: Int]
        let merges: Merges
        let dropout: Double?
        let continuingSubwordPrefix: String?
        let endOfWordSuffix: String?
        let byteFallback: Bool?
        let ignoreMerges: Bool?

        enum CodingKeys: String, CodingKey {
            case type, merges, dropout
            case vocabulary = "vocab"
            case continuingSubwordPrefix = "continuing_subword_prefix"
            case endOfWordSuffix = "end_of_word_suffix"
            case byteFallback = "byte_fallback"
            case ignoreMerges = "ignore_merges"
        }
    }

    /// Merges in either published form: `"a b"`, or `["a", "b"]` in files saved by newer libraries.
    enum Merges: Decodable {
        case joined([String])
        case pairs([[String]])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let pairs = try? container.decode([[String]].self) {
                self = .pairs(pairs)
            } else {
                self = .joined(try container.decode([String].self))
            }
        }
    }
}
