internal import Foundation
internal import Tokenization

/// The text side of `generate`: the prompt's tokens, and the completion's text where the checkpoint has a tokenizer.
struct CompletionText {
    let promptIDs: [Int]
    private let text: ModelText

    init(folder: String, prompt: String?, promptIDs: String?, isChat: Bool) throws {
        text = try ModelText(folder: folder, needsTokenizer: prompt != nil)
        if let promptIDs {
            self.promptIDs = try Self.parse(promptIDs)
        } else if let tokenizer = text.tokenizer, let prompt, isChat {
            let message = ChatMessage(role: .user, content: prompt)
            let chat = try ChatTemplate(folder: folder).render([message], addGenerationPrompt: true)
            self.promptIDs = try tokenizer.encode(chat)
        } else if let prompt {
            self.promptIDs = try text.encode(prompt) ?? []
        } else {
            self.promptIDs = []
        }
    }

    /// "" without a tokenizer.
    func decoded(_ ids: [Int]) -> String { text.tokenizer?.decode(ids) ?? "" }

    /// Text as it comes, or ids where there is no tokenizer.
    func stream() -> ModelText.Stream { text.stream() }

    private static func parse(_ text: String) throws -> [Int] {
        try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            guard let id = Int(part.trimmingCharacters(in: .whitespaces)) else {
                throw UsageError("--prompt-ids has \"\(part)\", which is no token id: give numbers as in 1,2,3")
            }
            return id
        }
    }
}
