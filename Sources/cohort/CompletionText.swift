internal import Foundation
internal import Tokenization

/// The text side of a completion: the prompt's tokens, and the completion's text where the checkpoint has a tokenizer.
struct CompletionText {
    let promptIDs: [Int]
    private let tokenizer: Tokenizer?

    init(folder: String, prompt: String?, promptIDs: String?, isChat: Bool) throws {
        let hasTokenizer = FileManager.default.fileExists(atPath: folder + "/tokenizer.json")
        tokenizer = hasTokenizer || prompt != nil ? try Tokenizer(folder: folder) : nil
        if let promptIDs {
            self.promptIDs = try Self.parse(promptIDs)
        } else if let tokenizer, let prompt {
            self.promptIDs = try Self.encode(prompt, tokenizer, folder: folder, isChat: isChat)
        } else {
            self.promptIDs = []
        }
    }

    /// "" without a tokenizer.
    func decoded(_ ids: [Int]) -> String { tokenizer?.decode(ids) ?? "" }

    func stream() -> Stream {
        Stream(detokenizer: tokenizer.map { Detokenizer($0) })
    }

    /// Text as it comes, or ids where there is no tokenizer.
    struct Stream {
        fileprivate var detokenizer: Detokenizer?

        mutating func append(_ id: Int) -> String { detokenizer?.append(id) ?? "\(id) " }

        mutating func finish() -> String { detokenizer?.finish() ?? "" }
    }

    private static func parse(_ text: String) throws -> [Int] {
        try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            guard let id = Int(part.trimmingCharacters(in: .whitespaces)) else {
                throw UsageError("--prompt-ids has \"\(part)\", which is no token id: give numbers as in 1,2,3")
            }
            return id
        }
    }

    private static func encode(
        _ prompt: String, _ tokenizer: Tokenizer, folder: String, isChat: Bool
    ) throws -> [Int] {
        guard isChat else {
            let ids = try tokenizer.encode(prompt)
            return if tokenizer.addsBOS, let bos = tokenizer.bosID { [bos] + ids } else { ids }
        }
        let template = try ChatTemplate(folder: folder)
        return try tokenizer.encode(
            try template.render([ChatMessage(role: .user, content: prompt)], addGenerationPrompt: true))
    }
}
