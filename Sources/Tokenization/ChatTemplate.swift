/// The chat template of a checkpoint: messages to the text that the model is to continue.
package struct ChatTemplate: Sendable {
    private let path: String
    private let bosToken: String
    private let eosToken: String
    private let statements: [TemplateStatement]

    /// The text of `messages`, BOS included where the template writes it.
    ///
    /// - Parameters:
    ///   - addGenerationPrompt: end with the opening of the assistant's answer.
    ///   - variables: what else the template may look at, such as `thinking` in V3.1's.
    package func render(
        _ messages: [ChatMessage], addGenerationPrompt: Bool, variables: [String: TemplateValue] = [:]
    ) throws(TokenizerError) -> String {
        var globals = variables
        globals["messages"] = .list(messages.map(\.templateValue))
        globals["add_generation_prompt"] = .boolean(addGenerationPrompt)
        globals["bos_token"] = .string(bosToken)
        globals["eos_token"] = .string(eosToken)
        var renderer = TemplateRenderer(globals: globals)
        do {
            return try renderer.render(statements)
        } catch {
            throw TokenizerError(
                file: path, line: error.line, what: "the chat template failed: \(error.what)",
                mend: "send messages of the shape this template takes")
        }
    }

    /// Reads the template of the checkpoint `folder`: `chat_template.jinja` where there is one, else the one inside
    /// `tokenizer_config.json`.
    package init(folder: String) throws(TokenizerError) {
        let config = try JSONFile(path: "\(folder)/tokenizer_config.json")
        let settings = try config.decode(TokenizerConfig.self)
        let templatePath = "\(folder)/chat_template.jinja"
        let source: String
        let path: String
        if JSONFile.exists(templatePath) {
            source = String(decoding: try JSONFile(path: templatePath).bytes, as: UTF8.self)
            path = templatePath
        } else if let template = settings.chatTemplate {
            source = template.source
            path = config.path
        } else {
            throw TokenizerError(
                file: config.path, what: "there is no chat_template",
                mend: "give the prompt as text, or add the publisher's chat_template.jinja to the folder")
        }
        try self.init(
            source: source, bosToken: settings.bosToken?.content ?? "", eosToken: settings.eosToken?.content ?? "",
            file: path)
    }

    /// A template by its text; `file` is for the errors alone.
    package init(source: String, bosToken: String, eosToken: String, file: String) throws(TokenizerError) {
        do {
            let tokens = try TemplateLexer.tokens(of: source)
            var parser = TemplateParser(tokens: tokens)
            statements = try parser.parse()
        } catch {
            throw TokenizerError(
                file: file, line: error.line, what: "the chat template cannot be read: \(error.what)",
                mend: "use the template that the model's publisher gives out")
        }
        path = file
        self.bosToken = bosToken
        self.eosToken = eosToken
    }
}
