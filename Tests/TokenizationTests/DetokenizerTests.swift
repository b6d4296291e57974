import Testing
import Tokenization

@Suite("Detokenizer")
struct DetokenizerTests {
    private let tokenizer: Tokenizer

    init() throws {
        tokenizer = try Fixture.tokenizer()
    }

    /// The id of the token of one byte.
    private func id(of byte: UInt8) throws -> Int {
        try #require((3..<tokenizer.vocabularySize).first { tokenizer.bytes(of: $0) == [byte] })
    }

    @Test("Random ids give the same text streamed as at once, and as the standard library's repair of their bytes")
    func randomIDs() {
        var generator = SeededGenerator(seed: 5)
        for skips in [false, true] {
            for length in 0..<300 {
                let ids = (0..<length).map { _ in Int.random(in: -2...tokenizer.vocabularySize + 2, using: &generator) }
                var detokenizer = Detokenizer(tokenizer, skipSpecialTokens: skips)
                let streamed = ids.map { detokenizer.append($0) }.joined() + detokenizer.finish()
                #expect(streamed.isIdentical(to: tokenizer.decode(ids, skipSpecialTokens: skips)))
                let shown = ids.filter { !skips || !tokenizer.isSpecial($0) }
                let repaired = String(decoding: shown.flatMap(tokenizer.bytes(of:)), as: UTF8.self)
                #expect(streamed.isIdentical(to: repaired))
            }
        }
    }

    @Test("Random bytes around the edges of UTF-8 are repaired as the standard library does")
    func randomBytes() throws {
        let edges: [UInt8] = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
            0xEF,
            0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
        ]
        let ids = try edges.map(id(of:))
        var generator = SeededGenerator(seed: 6)
        for _ in 0..<3000 {
            let picks = (0..<8).map { _ in Int.random(in: 0..<edges.count, using: &generator) }
            let repaired = String(decoding: picks.map { edges[$0] }, as: UTF8.self)
            #expect(tokenizer.decode(picks.map { ids[$0] }).isIdentical(to: repaired), "\(picks.map { edges[$0] })")
        }
    }

    @Test("A character is given out whole, with its last byte")
    func wholeCharacters() throws {
        var texts = RandomText(seed: 7)
        for _ in 0..<50 {
            var detokenizer = Detokenizer(tokenizer)
            for scalar in texts.next(length: 40).unicodeScalars {
                let bytes = Array(String(scalar).utf8)
                for byte in bytes.dropLast() { #expect(detokenizer.append(try id(of: byte)).isEmpty) }
                let last = try #require(bytes.last)
                #expect(detokenizer.append(try id(of: last)).isIdentical(to: String(scalar)))
            }
            #expect(detokenizer.finish().isEmpty)
        }
    }

    @Test("The end gives one replacement for an incomplete character, and starts afresh")
    func finish() throws {
        var detokenizer = Detokenizer(tokenizer)
        for byte: UInt8 in [0xF0, 0x9F, 0x91] { #expect(detokenizer.append(try id(of: byte)).isEmpty) }
        #expect(detokenizer.finish() == "\u{FFFD}")
        #expect(detokenizer.finish().isEmpty)
        #expect(detokenizer.append(try id(of: 0x8B)) == "\u{FFFD}")
        #expect(detokenizer.append(try id(of: 0x41)) == "A")
    }

    @Test("Special tokens are left out on request, even between the bytes of a character")
    func skipsSpecialTokens() throws {
        var detokenizer = Detokenizer(tokenizer, skipSpecialTokens: true)
        let bytes = try [0xE4, 0xBD, 0xA0].map { try id(of: UInt8($0)) }
        let text = [0, bytes[0], 1, bytes[1], bytes[2], 1].map { detokenizer.append($0) }.joined()
        #expect(text + detokenizer.finish() == "你")
    }
}
