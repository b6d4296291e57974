import Testing
import Tokenization

@Suite("Tokenizer")
struct TokenizerTests {
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

    private let tokenizer: Tokenizer

    init() throws {
        tokenizer = try Fixture.tokenizer()
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
}
