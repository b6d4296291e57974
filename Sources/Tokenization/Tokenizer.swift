/// A byte-level BPE tokenizer as `tokenizer.json` describes it: text to ids and back.
package struct Tokenizer: Sendable {
    let vocabulary: Vocabulary
    /// The id of BOS and EOS as `tokenizer_config.json` names them.
    package let bosID: Int?
    package let eosID: Int?
    /// Whether `tokenizer_config.json` asks for BOS in front of a bare prompt. `encode` never adds it: chat templates
    /// write it themselves.
    package let addsBOS: Bool

    private let path: String
    private let addedTokens: AddedTokens
    private let preTokenizer: PreTokenizer
    private let encoder: BytePairEncoder
    /// Whole pieces that are tokens whatever the merges say (`ignore_merges`).
    private let wholePieces: [[UInt8]: Int32]
    private let addedIDs: [String: Int]
    private let cache = PieceCache()

    /// The ids of `text`. Added tokens in it become their ids, unless `allowSpecial` is false: then all of it is plain
    /// text. Throws when an expression exceeds its limits on this text.
    package func encode(_ text: String, allowSpecial: Bool = true) throws(TokenizerError) -> [Int] {
        let result = Array(text.utf8).withUnsafeBufferPointer { bytes in
            Result { () throws(PatternMatcher.LimitError) in try encode(bytes, allowSpecial: allowSpecial) }
        }
        do {
            return try result.get()
        } catch {
            throw TokenizerError(
                file: path, what: "a pre-tokenizer expression was given up on a text: \(error.reason)",
                mend: "shorten the text's longest run without a word")
        }
    }

    /// The text of `ids`, each bad byte sequence as U+FFFD; ids without a token add nothing.
    package func decode(_ ids: [Int], skipSpecialTokens: Bool = false) -> String {
        var detokenizer = Detokenizer(self, skipSpecialTokens: skipSpecialTokens)
        var text = ""
        for id in ids { text += detokenizer.append(id) }
        return text + detokenizer.finish()
    }

    /// One more than the largest id. The model's embedding may have more rows.
    package var vocabularySize: Int { vocabulary.count }

    /// Whether tokenizer.json marks token `id` special.
    package func isSpecial(_ id: Int) -> Bool { vocabulary.isSpecial(id) }

    /// The bytes that token `id` adds to a text; none for an id without a token.
    package func bytes(of id: Int) -> [UInt8] { Array(vocabulary.bytes(of: id)) }

    /// The id of an added token such as `</think>`, by its exact text.
    package func addedTokenID(_ content: String) -> Int? { addedIDs[content] }

    /// Reads `tokenizer.json` and `tokenizer_config.json` in the checkpoint `folder`.
    package init(folder: String) throws(TokenizerError) {
        try self.init(
            tokenizer: JSONFile(path: "\(folder)/tokenizer.json"),
            config: JSONFile(path: "\(folder)/tokenizer_config.json"))
    }

    /// Reads the contents of the two files; `folder` is for the errors alone.
    package init(tokenizerJSON: [UInt8], configJSON: [UInt8], folder: String) throws(TokenizerError) {
        try self.init(
            tokenizer: JSONFile(path: "\(folder)/tokenizer.json", bytes: tokenizerJSON),
            config: JSONFile(path: "\(folder)/tokenizer_config.json", bytes: configJSON))
    }

    private init(tokenizer: JSONFile, config: JSONFile) throws(TokenizerError) {
        let reader = TokenizerFileReader(path: tokenizer.path, file: try tokenizer.decode(TokenizerFile.self))
        try reader.checkFeatures()
        path = tokenizer.path
        vocabulary = try reader.vocabulary()
        preTokenizer = try reader.preTokenizer()
        addedTokens = try reader.addedTokens()
        encoder = try reader.encoder()
        wholePieces = reader.wholePieces()
        addedIDs = reader.addedIDs()
        let settings = try config.decode(TokenizerConfig.self)
        addsBOS = settings.addsBOS
        bosID = try Self.id(of: settings.bosToken, reader, config)
        eosID = try Self.id(of: settings.eosToken, reader, config)
    }

    private static func id(
        of token: TokenizerConfig.Token?, _ reader: TokenizerFileReader, _ config: JSONFile
    ) throws(TokenizerError) -> Int? {
        guard let content = token?.content else { return nil }
        guard let id = reader.addedIDs()[content] ?? reader.file.model.vocabulary[content] else {
            throw TokenizerError(
                file: config.path, what: "\(content) is no token of \(reader.path)",
                mend: "use the two files of one published checkpoint")
        }
        return id
    }

    private func encode(
        _ bytes: UnsafeBufferPointer<UInt8>, allowSpecial: Bool
    ) throws(PatternMatcher.LimitError) -> [Int] {
        let matcher = PatternMatcher()
        var workspace = BytePairEncoder.Workspace()
        var ids: [Int] = []
        for segment in allowSpecial ? addedTokens.segments(of: bytes) : [.text(0..<bytes.count)] {
            switch segment {
            case .token(let id):
                ids.append(id)
            case .text(let range):
                for piece in try preTokenizer.pieces(of: bytes, in: range, matcher) {
                    for id in tokens(of: Array(bytes[piece]), in: &workspace) { ids.append(Int(id)) }
                }
            }
        }
        return ids
    }

    private func tokens(of piece: [UInt8], in workspace: inout BytePairEncoder.Workspace) -> [Int32] {
        if let whole = wholePieces[piece] { return [whole] }
        return cache.tokens(of: piece) { encoder.encode($0, in: &workspace) }
    }
}
