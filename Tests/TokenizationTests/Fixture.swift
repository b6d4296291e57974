import Foundation
import Testing
import Tokenization

/// The files beside the tests.
enum Fixture {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures").path

    static func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")))
    }

    static func decode<Value: Decodable>(_ type: Value.Type, from name: String) throws -> Value {
        try JSONDecoder().decode(type, from: Data(bytes(name)))
    }

    static func object(_ name: String) throws -> [String: Any] {
        let value = try JSONSerialization.jsonObject(with: Data(bytes(name)))
        return try #require(value as? [String: Any])
    }

    static func tokenizer() throws -> Tokenizer {
        try Tokenizer(folder: folder)
    }

    /// The tokenizer that `file`, a changed tokenizer.json, makes.
    static func tokenizer(from file: [String: Any]) throws -> Tokenizer {
        try Tokenizer(
            tokenizerJSON: Array(JSONSerialization.data(withJSONObject: file)),
            configJSON: bytes("tokenizer_config.json"),
            folder: "changed")
    }
}

extension String {
    /// Equal in every code point, which `==` does not ask for.
    func isIdentical(to other: String) -> Bool {
        utf8.elementsEqual(other.utf8)
    }
}
