import Foundation
import Testing
import Tokenization

@Suite("Chat templates")
struct ChatTemplateTests {
    private struct Chats: Decodable {
        struct Chat: Decodable {
            let name: String
            let template: String
            let messages: [Message]
            let addGenerationPrompt: Bool
            let text: String
            let ids: [Int]

            enum CodingKeys: String, CodingKey {
                case name, template, messages, text, ids
                case addGenerationPrompt = "add_generation_prompt"
            }
        }

        struct Message: Decodable {
            struct Call: Decodable {
                struct Function: Decodable {
                    let name: String
                    let arguments: String
                }

                let type: String
                let function: Function
            }

            let role: String
            let content: String?
            let toolCalls: [Call]?

            enum CodingKeys: String, CodingKey {
                case role, content
                case toolCalls = "tool_calls"
            }

            func chatMessage() throws -> ChatMessage {
                ChatMessage(
                    role: try #require(ChatMessage.Role(rawValue: role)), content: content,
                    toolCalls: toolCalls?.map {
                        ChatMessage.ToolCall(type: $0.type, name: $0.function.name, arguments: $0.function.arguments)
                    })
            }
        }

        let chats: [Chat]
    }

    private static let user = ChatMessage(role: .user, content: "Hi")

    private func template(_ source: String) throws(TokenizerError) -> ChatTemplate {
        try ChatTemplate(source: source, bosToken: "<b>", eosToken: "<e>", file: "t.jinja")
    }

    /// R1's template as first published, and the revision whose generation prompt opens the think block.
    private func publishedTemplates() throws -> (first: ChatTemplate, opensThink: ChatTemplate) {
        let source = try #require(try Fixture.object("tokenizer_config.json")["chat_template"] as? String)
        let ending = "{{'<｜Assistant｜>'}}{% endif %}"
        #expect(source.hasSuffix(ending))
        let revised = source.dropLast(ending.count) + "{{'<｜Assistant｜><think>\\n'}}{% endif %}"
        return (
            try ChatTemplate(folder: Fixture.folder),
            try ChatTemplate(
                source: String(revised), bosToken: "<｜begin▁of▁sentence｜>", eosToken: "<｜end▁of▁sentence｜>",
                file: "revised")
        )
    }

    @Test("R1's chats equal the reference's, as text and as ids")
    func reference() throws {
        let templates = try publishedTemplates()
        let tokenizer = try Fixture.tokenizer()
        let chats = try Fixture.decode(Chats.self, from: "chat_reference.json").chats
        #expect(chats.count == 18)
        for chat in chats {
            let template = chat.template.hasPrefix("r1-2025-01") ? templates.first : templates.opensThink
            let messages = try chat.messages.map { try $0.chatMessage() }
            let text = try template.render(messages, addGenerationPrompt: chat.addGenerationPrompt)
            #expect(text.isIdentical(to: chat.text), "\(chat.name)")
            #expect(try tokenizer.encode(text) == chat.ids, "\(chat.name)")
        }
    }

    @Test("Templates of every supported feature render as Jinja renders them, and fail where it fails")
    func features() throws {
        let reference = try Fixture.object("template_reference.json")
        let entries = try #require(reference["templates"] as? [[String: Any]])
        #expect(entries.count > 25)
        let messages = try (try #require(reference["messages"] as? [[String: String]])).map { fields in
            ChatMessage(
                role: try #require(fields["role"].flatMap(ChatMessage.Role.init(rawValue:))), content: fields["content"]
            )
        }
        for entry in entries {
            let name = try #require(entry["name"] as? String)
            let source = try #require(entry["source"] as? String)
            if let text = entry["text"] as? String {
                let rendered = try template(source).render(messages, addGenerationPrompt: false)
                #expect(
                    rendered.isIdentical(to: text),
                    "\(name): \(rendered.debugDescription), not \(text.debugDescription)")
            } else {
                #expect(throws: TokenizerError.self, "\(name)") {
                    try template(source).render(messages, addGenerationPrompt: false)
                }
            }
        }
    }

    @Test("The template sees BOS, EOS, the generation prompt and the given variables")
    func variables() throws {
        let template = try template(
            "{{ bos_token }}{{ eos_token }}{{ add_generation_prompt }}{{ thinking }}{{ tools | tojson }}")
        let tools: TemplateValue = .list([.mapping(["z": .integer(1), "a": .none])])
        let text = try template.render(
            [], addGenerationPrompt: true, variables: ["thinking": .boolean(true), "tools": tools])
        #expect(text == #"<b><e>TrueTrue[{"z": 1, "a": null}]"#)
    }

    @Test("An error names the file and the line")
    func lines() throws {
        let unclosed = try #require(throws: TokenizerError.self) { try template("a\n\n{% if x %}\nb") }
        #expect(unclosed.file == "t.jinja" && unclosed.line == 4)
        let unknown = try #require(throws: TokenizerError.self) { try template("\n{{ 1 }}\n{% macro f() %}") }
        #expect(unknown.line == 3 && unknown.what.contains("macro"))
        let failing = try template("a\n{% for m in messages %}\n{{ m.content }}\n{{ m.nothing + 'x' }}{% endfor %}")
        let failed = try #require(throws: TokenizerError.self) {
            try failing.render([Self.user], addGenerationPrompt: false)
        }
        #expect(failed.line == 4 && failed.what.contains("nothing"))
        #expect("\(failed)".hasPrefix("t.jinja:4: "))
        let refusing = try template("{{ raise_exception('roles must alternate') }}")
        let refused = try #require(throws: TokenizerError.self) { try refusing.render([], addGenerationPrompt: true) }
        #expect(refused.what.contains("roles must alternate"))
    }

    @Test("A message without content where the template needs one is an error")
    func missingContent() throws {
        let template = try ChatTemplate(folder: Fixture.folder)
        #expect(throws: TokenizerError.self) {
            try template.render([ChatMessage(role: .user, content: nil)], addGenerationPrompt: true)
        }
    }

    @Test("What a template may cost is bounded")
    func bounds() throws {
        let messages = Array(repeating: Self.user, count: 400)
        let loops = String(repeating: "{% for m in messages %}", count: 5)
        let ends = String(repeating: "{% endfor %}", count: 5)
        let doubling = "{% set ns = namespace(t='x') %}{% for m in messages %}{% set ns.t = ns.t + ns.t %}{% endfor %}"
        for source in [loops + ends, doubling, loops + "{{ messages | tojson }}" + ends] {
            let template = try template(source)
            #expect(throws: TokenizerError.self, "\(source)") {
                try template.render(messages, addGenerationPrompt: false)
            }
        }
    }

    @Test("A template nested or chained past measure is refused, not a full stack")
    func nesting() {
        let sources = [
            "{{ " + String(repeating: "(", count: 100_000), "{{ " + String(repeating: "not ", count: 100_000) + "1 }}",
            "{{ 1" + String(repeating: " + 1", count: 100_000) + " }}",
            "{{ " + String(repeating: "-", count: 100_000) + "1 }}",
            "{{ a" + String(repeating: ".b", count: 100_000) + " }}",
            "{{ a" + String(repeating: "[0]", count: 100_000) + " }}",
            String(repeating: "{% if a %}", count: 100_000), "{{ " + String(repeating: "[", count: 100_000),
            "{{ " + String(repeating: "1 if 1 else ", count: 50_000) + "1 }}", String(repeating: "x", count: 2_000_000),
            "{{ a" + String(repeating: " | trim", count: 100_000) + " }}",
            "{% if a %}" + String(repeating: "{% elif a %}", count: 50_000),
        ]
        for source in sources {
            #expect(throws: TokenizerError.self, "\(source.prefix(24))") { try template(source) }
        }
    }

    @Test("A template cut anywhere or with random characters changed is read or refused, never a crash")
    func mutations() throws {
        let source = try #require(try Fixture.object("tokenizer_config.json")["chat_template"] as? String)
        let scalars = Array(source.unicodeScalars)
        var generator = SeededGenerator(seed: 3)
        let alphabet = Array("{}%#-+'\"\\.,()[]|~=<>!: \nabnot0in".unicodeScalars)
        for round in 0..<3000 {
            var changed = scalars
            if round % 3 == 0 {
                changed.removeLast(Int.random(in: 0..<scalars.count, using: &generator))
            }
            for _ in 0..<Int.random(in: 1...3, using: &generator) where !changed.isEmpty {
                changed[Int.random(in: 0..<changed.count, using: &generator)] =
                    alphabet.randomElement(using: &generator) ?? " "
            }
            do {
                let template = try template(String(String.UnicodeScalarView(changed)))
                _ = try template.render([Self.user, Self.user], addGenerationPrompt: true)
            } catch {
                #expect(!error.what.isEmpty)
            }
        }
    }

    @Test("A folder's chat_template.jinja goes before tokenizer_config.json, and one of the two must be there")
    func folders() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "chat-template-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func render() throws -> String {
            try ChatTemplate(folder: folder.path).render([Self.user], addGenerationPrompt: false)
        }
        #expect(throws: TokenizerError.self) { try render() }
        let config = folder.appending(path: "tokenizer_config.json")
        try Data("{}".utf8).write(to: config)
        #expect(throws: TokenizerError.self) { try render() }
        try Data(#"{"chat_template": "A{{ bos_token }}", "bos_token": "B"}"#.utf8).write(to: config)
        #expect(try render() == "AB")
        let named = #"{"chat_template": [{"name": "tool_use", "template": "x"}, {"name": "default", "template": "C"}]}"#
        try Data(named.utf8).write(to: config)
        #expect(try render() == "C")
        try Data(#"{"chat_template": [{"name": "tool_use", "template": "x"}]}"#.utf8).write(to: config)
        #expect(throws: TokenizerError.self) { try render() }
        try Data(#"{"eos_token": "E"}"#.utf8).write(to: config)
        try Data("D{{ eos_token }}\n".utf8).write(to: folder.appending(path: "chat_template.jinja"))
        #expect(try render() == "DE")
    }
}
