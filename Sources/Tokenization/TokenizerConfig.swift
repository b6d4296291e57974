/// The parts of `tokenizer_config.json` that change ids or chats.
struct TokenizerConfig: Decodable {
    let addBOSToken: Bool?
    let addEOSToken: Bool?
    let bosToken: Token?
    let eosToken: Token?
    let tokenizerClass: String?
    let chatTemplate: Template?

    enum CodingKeys: String, CodingKey {
        case addBOSToken = "add_bos_token"
        case addEOSToken = "add_eos_token"
        case bosToken = "bos_token"
        case eosToken = "eos_token"
        case tokenizerClass = "tokenizer_class"
        case chatTemplate = "chat_template"
    }

    /// Whether a bare prompt gets a BOS token in front. Where the file is silent, the Llama classes add one.
    var addsBOS: Bool { addBOSToken ?? (tokenizerClass?.hasPrefix("Llama") ?? false) }

    /// A token named by its text alone or by an object with `content`.
    struct Token: Decodable {
        let content: String

        private enum CodingKeys: CodingKey { case content }

        init(from decoder: any Decoder) throws {
            if let content = try? decoder.singleValueContainer().decode(String.self) {
                self.content = content
            } else {
                content = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .content)
            }
        }
    }

    /// One template, or several by name, of which `default` is meant.
    struct Template: Decodable {
        let source: String

        private struct Named: Decodable {
            let name: String
            let template: String
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let source = try? container.decode(String.self) {
                self.source = source
                return
            }
            let named = try container.decode([Named].self)
            guard let fallback = named.first(where: { $0.name == "default" }) else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "no template is named default")
            }
            source = fallback.template
        }
    }
}
