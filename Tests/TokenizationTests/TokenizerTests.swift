import Foundation
import Testing
import Tokenization

@Suite("Tokenizer")
struct TokenizerTests {
    private let tokenizer: Tokenizer

    init() throws {
        tokenizer = try Fixture.tokenizer()
    }

    private struct Reference: Decodable {
        struct Encoding: Decodable {
            let text: String
            let ids: [Int]
            let decoded: String
            let decodedSkipSpecial: String

            enum CodingKeys: String, CodingKey {
                case text, ids, decoded
                case decodedSkipSpecial = "decoded_skip_special"
            }
        }

        struct Decoding: Decodable {
            let bytes: [UInt8]
            let ids: [Int]
            let decoded: String
        }

        let encode: [Encoding]
        let decodeBytes: [Decoding]

        enum CodingKeys: String, CodingKey {
            case encode
            case decodeBytes = "decode_bytes"
        }
    }

    @Test("Encodings and decodings equal those of the reference library")
    func reference() throws {
        let reference = try Fixture.decode(Reference.self, from: "tokenizer_reference.json")
        #expect(reference.encode.count == 61)
        for entry in reference.encode {
            #expect(try tokenizer.encode(entry.text) == entry.ids, "\(entry.text.debugDescription)")
            #expect(tokenizer.decode(entry.ids).isIdentical(to: entry.decoded))
            let skipped = tokenizer.decode(entry.ids, skipSpecialTokens: true)
            #expect(skipped.isIdentical(to: entry.decodedSkipSpecial))
        }
        for entry in reference.decodeBytes {
            #expect(tokenizer.decode(entry.ids).isIdentical(to: entry.decoded), "\(entry.bytes)")
            #expect(entry.ids.flatMap(tokenizer.bytes(of:)) == entry.bytes)
        }
    }

    @Test("Random texts get the reference library's ids, also with changed tokenizer files")
    func randomReference() throws {
        let data = Data(try Fixture.bytes("random_reference.json"))
        let variants = try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
        #expect(variants.count == 6)
        for variant in variants {
            let name = try #require(variant["name"] as? String)
            let tokenizer = try Fixture.tokenizer(from: try patched(variant["patch"] as? [String: Any]))
            for entry in try #require(variant["cases"] as? [[String: Any]]) {
                let text = try #require(entry["text"] as? String)
                let ids = try #require(entry["ids"] as? [Int])
                #expect(try tokenizer.encode(text) == ids, "\(name): \(text.debugDescription)")
            }
        }
    }

    /// tokenizer.json with `patch` laid over it; without one, with its merges as pairs.
    private func patched(_ patch: [String: Any]?) throws -> [String: Any] {
        var file = try Fixture.object("tokenizer.json")
        var model = try #require(file["model"] as? [String: Any])
        for (key, value) in patch ?? [:] where key != "model" { file[key] = value }
        for (key, value) in patch?["model"] as? [String: Any] ?? [:] { model[key] = value }
        if patch == nil {
            let merges = try #require(model["merges"] as? [String])
            model["merges"] = merges.map { $0.split(separator: " ").map(String.init) }
        }
        file["model"] = model
        return file
    }

    @Test("Random Unicode comes back as it was", arguments: [1, 2, 3, 4])
    func roundTrip(seed: UInt64) throws {
        var texts = RandomText(seed: seed)
        for length in 0..<150 {
            let text = texts.next(length: length)
            #expect(tokenizer.decode(try tokenizer.encode(text)).isIdentical(to: text), "\(text.debugDescription)")
            let plain = try tokenizer.encode(text, allowSpecial: false)
            #expect(tokenizer.decode(plain).isIdentical(to: text), "\(text.debugDescription)")
        }
    }

    @Test("Added tokens in a text are plain text when they are not allowed")
    func withoutSpecialTokens() throws {
        let text = "<｜User｜>a</think><｜end▁of▁sentence｜>"
        #expect(try tokenizer.encode(text).count == 4)
        let plain = try tokenizer.encode(text, allowSpecial: false)
        let user = try #require(tokenizer.addedTokenID("<｜User｜>"))
        let end = try #require(tokenizer.eosID)
        #expect(!plain.contains(user) && !plain.contains(end))
        #expect(tokenizer.decode(plain, skipSpecialTokens: true) == text)
    }

    @Test("The sizes, BOS, EOS and special flags are those of the files")
    func properties() throws {
        #expect(tokenizer.vocabularySize == 1925)
        #expect(tokenizer.bosID == 0 && tokenizer.eosID == 1 && tokenizer.addsBOS)
        #expect(tokenizer.isSpecial(0) && tokenizer.isSpecial(1))
        let think = try #require(tokenizer.addedTokenID("<think>"))
        #expect(!tokenizer.isSpecial(think))
        #expect(tokenizer.addedTokenID("think") == nil)
        for id in [-1, 1925, Int.min, Int.max] {
            #expect(tokenizer.bytes(of: id).isEmpty && !tokenizer.isSpecial(id))
        }
        #expect(tokenizer.decode([-5, 1925, 67, Int.max]) == "a")
    }

    @Test(
        "A long run without a word takes time nearly linear in its length",
        arguments: ["a", " ", "\n", "!", "的", "ab", " \t", "<｜User", "\u{1}", "9", "e\u{301}"])
    func longPieces(unit: String) throws {
        let text = String(repeating: unit, count: 100_000 / unit.utf8.count)
        var ids: [Int] = []
        let time = try ContinuousClock().measure { ids = try tokenizer.encode(text) }
        #expect(time < .seconds(30))
        #expect(tokenizer.decode(ids).isIdentical(to: text))
    }

    @Test("Many threads at once get the ids that one gets")
    func concurrency() async throws {
        var source = RandomText(seed: 9)
        let texts = (0..<64).map { _ in source.next(length: 80) }
        let expected = try texts.map { try tokenizer.encode($0) }
        let fresh = try Fixture.tokenizer()
        try await withThrowingTaskGroup(of: [[Int]].self) { group in
            for _ in 0..<8 { group.addTask { try texts.map { try fresh.encode($0) } } }
            for try await ids in group { #expect(ids == expected) }
        }
    }
}
