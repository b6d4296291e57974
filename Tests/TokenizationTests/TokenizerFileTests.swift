import Foundation
import Testing
import Tokenization

@Suite("Tokenizer files")
struct TokenizerFileTests {
    private let file: [String: Any]
    private let config: [UInt8]

    init() throws {
        file = try Fixture.object("tokenizer.json")
        config = try Fixture.bytes("tokenizer_config.json")
    }

    /// The error that `file` with `value` at `path` leads to, nil where it is read.
    private func error(_ path: [String], _ value: Any?) throws -> TokenizerError? {
        let changed = try #require(Self.replacing(path[...], in: file, with: value) as? [String: Any])
        do {
            let tokenizer = try Fixture.tokenizer(from: changed)
            _ = try tokenizer.encode("Hello 世界 123")
            return nil
        } catch let error as TokenizerError {
            return error
        }
    }

    private static func replacing(_ path: ArraySlice<String>, in value: Any, with new: Any?) -> Any? {
        guard let key = path.first else { return new }
        if var fields = value as? [String: Any] {
            fields[key] = replacing(path.dropFirst(), in: fields[key] as Any, with: new)
            return fields
        }
        if var elements = value as? [Any], let index = Int(key), elements.indices.contains(index) {
            elements[index] = replacing(path.dropFirst(), in: elements[index], with: new) ?? NSNull()
            return elements
        }
        return value
    }

    @Test("A missing folder, file or part of a file is named")
    func missing() throws {
        #expect(throws: TokenizerError.self) { try Tokenizer(folder: "/nonexistent") }
        for path in [["model"], ["model", "vocab"], ["model", "merges"], ["pre_tokenizer"], ["decoder"]] {
            let error = try #require(try error(path, nil))
            #expect(error.file == "changed/tokenizer.json")
            #expect(error.what.contains(path.last ?? ""), "\(error)")
        }
    }

    @Test(
        "What would change ids and is not implemented is refused by name",
        arguments: [
            ("model.type", "WordPiece" as any Sendable, "WordPiece"), ("model.byte_fallback", true, "byte_fallback"),
            ("model.dropout", 0.1, "dropout"), ("model.end_of_word_suffix", "</w>", "end_of_word_suffix"),
            ("model.continuing_subword_prefix", "##", "continuing_subword_prefix"),
            ("normalizer", ["type": "NFC"], "NFC"), ("normalizer.normalizers", [["type": "Lowercase"]], "Lowercase"),
            ("decoder.type", "Metaspace", "decoder"), ("added_tokens.20.lstrip", true, "lstrip"),
            ("added_tokens.20.rstrip", true, "rstrip"), ("added_tokens.20.single_word", true, "single_word"),
            ("pre_tokenizer.pretokenizers.0.behavior", "Removed", "Removed"),
            ("pre_tokenizer.pretokenizers.1.invert", true, "invert"),
            ("pre_tokenizer.pretokenizers.2.type", "Whitespace", "Whitespace"),
            ("pre_tokenizer.pretokenizers.2.pattern", ["String": "a"], "Regex"),
            ("pre_tokenizer.pretokenizers.3.use_regex", true, "use_regex"),
            ("pre_tokenizer.pretokenizers.3.add_prefix_space", true, "add_prefix_space"),
            ("pre_tokenizer.pretokenizers.3.type", "Punctuation", "ByteLevel"),
        ])
    func unsupported(path: String, value: any Sendable, name: String) throws {
        let error = try #require(try error(path.split(separator: ".").map(String.init), value))
        #expect(error.what.contains(name), "\(error)")
    }

    @Test(
        "An expression that PCRE2 would read differently, or not at all, is refused",
        arguments: [
            "\\w+", "\\bx", "\\h", "[[:alpha:]]", "[a[b]]", "[a&&b]", "[]a]", "\\p{Han}", "\\p{Alpha}", "\\p{L", "\\pL",
            "(?<n>a)",
            "(?m:.)", "(?#x)", "a{,2}", "a{2}+", "\\1", "\\Z", "(", "[a", "a)", "*", "x\\", "\\", "[\\A]", "(*UTF8)",
            "(?i)a", "[z-a]",
        ])
    func expressions(expression: String) throws {
        let path = ["pre_tokenizer", "pretokenizers", "1", "pattern"]
        let error = try #require(try error(path, ["Regex": expression]))
        #expect(error.what.contains("pretokenizers[1]"), "\(error)")
    }

    @Test("An expression that backtracks without end is given up, not waited for")
    func catastrophicExpression() throws {
        let path = ["pre_tokenizer", "pretokenizers", "1", "pattern"]
        let changed = try #require(
            Self.replacing(path[...], in: file, with: ["Regex": "(?:(?:a|a)*)*(?=b)c"]) as? [String: Any])
        let tokenizer = try Fixture.tokenizer(from: changed)
        #expect(throws: TokenizerError.self) { try tokenizer.encode(String(repeating: "a", count: 60) + "c") }
        #expect(try !tokenizer.encode("b").isEmpty)
    }

    @Test("Tokens and merges that do not fit together are refused")
    func inconsistencies() throws {
        let added: [String: Any] = ["id": 7, "content": "<｜new｜>", "special": true]
        let changes: [(path: String, value: Any, part: String)] = [
            ("model.merges.5", "nope", "merges[5]"), ("model.merges.5", "a b c", "merges[5]"),
            ("model.merges.0", "\u{120} \u{1F600}", "\u{1F600}"), ("model.merges.3", 4, "merges"),
            ("model.merges", [["a", "b", "c"]], "merges[0]"), ("model.merges", [["a", 1]], "merges"),
            ("model.vocab.a", -1, "-1"), ("model.vocab.a", 1 << 40, "1099511627776"), ("model.vocab.a", 5, "5"),
            ("model.vocab.a", "67", "a"), ("model.vocab.a", 1.5, "a"), ("model.vocab.zzz", Int.max, "zzz"),
            ("added_tokens.0", added, "7"), ("added_tokens.0.id", 2, "2"), ("added_tokens.20.content", "", "empty"),
            ("added_tokens.20.id", -1, "-1"), ("added_tokens", "x", "added_tokens"), ("model.vocab", [:], "byte"),
        ]
        for change in changes {
            let error = try #require(
                try error(change.path.split(separator: ".").map(String.init), change.value), "\(change.path)")
            #expect(error.what.contains(change.part), "\(change.path): \(error)")
        }
    }

    @Test("A truncated file is an error wherever it ends")
    func truncated() throws {
        let whole = try Fixture.bytes("tokenizer.json")
        for length in Array(stride(from: 0, to: whole.count - 2, by: 1717)) + [whole.count - 3] {
            #expect(throws: TokenizerError.self, "\(length)") {
                try Tokenizer(tokenizerJSON: Array(whole[..<length]), configJSON: config, folder: "cut")
            }
        }
        for length in stride(from: 0, to: config.count - 2, by: 97) {
            #expect(throws: TokenizerError.self, "\(length)") {
                try Tokenizer(tokenizerJSON: whole, configJSON: Array(config[..<length]), folder: "cut")
            }
        }
    }

    @Test("A file with random bytes changed is read or refused, never a crash", arguments: [11, 12, 13])
    func mutatedBytes(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let whole = try Fixture.bytes("tokenizer.json")
        let alphabet = Array(#"{}[]":,.0123456789-+eEtrufalsn \\abcpqL{}()*?|^$"#.utf8) + [0, 0xC4, 0xFF]
        var readCount = 0
        for round in 0..<100 {
            var bytes = whole
            // The first kilobytes hold the parts with structure; the rest is the vocabulary and the merges.
            let range = round % 2 == 0 ? 0..<6000 : 0..<whole.count
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let index = Int.random(in: range, using: &generator)
                bytes[index] = alphabet.randomElement(using: &generator) ?? 0
            }
            do {
                let tokenizer = try Tokenizer(tokenizerJSON: bytes, configJSON: config, folder: "mutated")
                _ = tokenizer.decode(try tokenizer.encode("Hello 世界 <think> 123\n"))
                readCount += 1
            } catch {
                #expect(!error.what.isEmpty && !error.mend.isEmpty)
            }
        }
        #expect(readCount > 0 && readCount < 100)
    }

    @Test("A part of the wrong type is an error that names it")
    func wrongTypes() throws {
        let paths = [
            "added_tokens.0.id", "added_tokens.0.content", "added_tokens.1.special", "normalizer", "normalizer.type",
            "pre_tokenizer", "pre_tokenizer.type", "pre_tokenizer.pretokenizers", "pre_tokenizer.pretokenizers.0",
            "pre_tokenizer.pretokenizers.0.pattern", "pre_tokenizer.pretokenizers.0.behavior", "decoder", "model",
            "model.vocab",
            "model.merges", "model.ignore_merges",
        ]
        let values: [Any] = [7, "x", [1, 2], ["x": 1], ["type": 1]]
        for path in paths {
            for value in values {
                if path.hasSuffix(".id"), value is Int { continue }
                if path.hasSuffix("content"), value is String { continue }
                #expect(try error(path.split(separator: ".").map(String.init), value) != nil, "\(path): \(value)")
            }
        }
    }

    @Test("tokenizer_config.json may name tokens by text or object, and must name tokens that there are")
    func tokensOfTheConfig() throws {
        let whole = try Fixture.bytes("tokenizer.json")
        func tokenizer(_ text: String) throws -> Tokenizer {
            try Tokenizer(tokenizerJSON: whole, configJSON: Array(text.utf8), folder: "folder")
        }
        let byText = try tokenizer(#"{"bos_token": "<think>", "eos_token": null, "add_bos_token": false}"#)
        #expect(byText.bosID == byText.addedTokenID("<think>") && byText.eosID == nil && !byText.addsBOS)
        #expect(try tokenizer(#"{"tokenizer_class": "LlamaTokenizerFast"}"#).addsBOS)
        #expect(try !tokenizer("{}").addsBOS)
        for text in [#"{"bos_token": "nope"}"#, #"{"bos_token": 3}"#, #"{"eos_token": {}}"#, "[]", ""] {
            let error = try #require(throws: TokenizerError.self) { try tokenizer(text) }
            #expect(error.file == "folder/tokenizer_config.json")
        }
    }
}
