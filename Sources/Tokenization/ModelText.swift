internal import Foundation

/// The text side of a checkpoint: prompts to ids and ids to text. A checkpoint may have no tokenizer: then prompts are
/// ids, and text is the ids, each followed by a space.
package struct ModelText: Sendable {
    package let tokenizer: Tokenizer?

    /// - Parameter needsTokenizer: whether a checkpoint without one is an error.
    /// - Throws: `TokenizerError` when the files cannot be read.
    package init(folder: String, needsTokenizer: Bool = false) throws(TokenizerError) {
        let hasTokenizer = FileManager.default.fileExists(atPath: "\(folder)/tokenizer.json")
        tokenizer = hasTokenizer || needsTokenizer ? try Tokenizer(folder: folder) : nil
    }

    /// The ids of a bare prompt, after BOS where the checkpoint asks for it; nil without a tokenizer.
    package func encode(_ prompt: String) throws(TokenizerError) -> [Int]? {
        guard let tokenizer else { return nil }
        let ids = try tokenizer.encode(prompt)
        return if tokenizer.addsBOS, let bos = tokenizer.bosID { [bos] + ids } else { ids }
    }

    /// - Parameter skipSpecialTokens: leave out the tokens that tokenizer.json marks special.
    package func stream(skipSpecialTokens: Bool = false) -> Stream {
        Stream(detokenizer: tokenizer.map { Detokenizer($0, skipSpecialTokens: skipSpecialTokens) })
    }

    /// A text as it comes.
    package struct Stream: Sendable {
        fileprivate var detokenizer: Detokenizer?

        /// The text that `id` completes.
        package mutating func append(_ id: Int) -> String { detokenizer?.append(id) ?? "\(id) " }

        /// What was held back.
        package mutating func finish() -> String { detokenizer?.finish() ?? "" }
    }

    /// One token for itself: its text, or its bytes where they are no text, or its id.
    package func name(of id: Int) -> String {
        guard let tokenizer else { return "token_id:\(id)" }
        let bytes = tokenizer.bytes(of: id)
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        return "bytes:" + bytes.map { String(format: "\\x%02x", $0) }.joined()
    }
}
