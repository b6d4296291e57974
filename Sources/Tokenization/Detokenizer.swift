/// Turns ids into text as they are generated. The pieces put together equal `Tokenizer.decode` of all ids, and no piece
/// ends inside a character.
package struct Detokenizer: Sendable {
    private let vocabulary: Vocabulary
    private let skipsSpecialTokens: Bool
    private var decoder = LossyUTF8Decoder()

    /// - Parameter skipSpecialTokens: leave out the tokens that tokenizer.json marks special.
    package init(_ tokenizer: Tokenizer, skipSpecialTokens: Bool = false) {
        vocabulary = tokenizer.vocabulary
        skipsSpecialTokens = skipSpecialTokens
    }

    /// The text that token `id` completes, empty while a character is still incomplete. Ids without a token (the
    /// padding rows of an embedding) add nothing.
    package mutating func append(_ id: Int) -> String {
        if skipsSpecialTokens, vocabulary.isSpecial(id) { return "" }
        return decoder.append(vocabulary.bytes(of: id))
    }

    /// The end of the ids: what was held back becomes one U+FFFD. The detokenizer is then ready for another text.
    package mutating func finish() -> String {
        decoder.finish()
    }
}
