/// Checks a `tokenizer.json` and makes the parts of a `Tokenizer` from it. What the file asks for and this reader does
/// not do is an error that names it.
struct TokenizerFileReader {
    let path: String
    let file: TokenizerFile

    private typealias Component = TokenizerFile.Component

    func failure(_ what: String, mend: String = "use the tokenizer.json that the model's publisher gives out")
        -> TokenizerError
    {
        TokenizerError(file: path, what: what, mend: mend)
    }

    private func unsupported(_ feature: String) -> TokenizerError {
        failure("\(feature) is not supported", mend: "use a byte-level BPE tokenizer.json of the DeepSeek family")
    }

    /// Refuses what would change ids and is not implemented.
    func checkFeatures() throws(TokenizerError) {
        let model = file.model
        if let type = model.type, type != "BPE" { throw unsupported("model type \(type)") }
        if model.byteFallback == true { throw unsupported("model.byte_fallback") }
        if let dropout = model.dropout, dropout != 0 { throw unsupported("model.dropout") }
        if model.continuingSubwordPrefix?.isEmpty == false { throw unsupported("model.continuing_subword_prefix") }
        if model.endOfWordSuffix?.isEmpty == false { throw unsupported("model.end_of_word_suffix") }
        try checkNormalizer(file.normalizer)
        let decoders = file.decoder.map { $0.type == "Sequence" ? $0.decoders ?? [] : [$0] } ?? []
        guard decoders.count == 1, decoders[0].type == "ByteLevel" else {
            throw unsupported("a decoder other than ByteLevel")
        }
    }

    private func checkNormalizer(_ normalizer: Component?) throws(TokenizerError) {
        guard let normalizer else { return }
        guard normalizer.type == "Sequence" else { throw unsupported("normalizer \(normalizer.type)") }
        for inner in normalizer.normalizers ?? [] { throw unsupported("normalizer \(inner.type)") }
    }

    /// The expressions of the pre-tokenizers, in order.
    func preTokenizer() throws(TokenizerError) -> PreTokenizer {
        guard let root = file.preTokenizer else { throw unsupported("a tokenizer without a pre_tokenizer") }
        let steps = root.type == "Sequence" ? root.pretokenizers ?? [] : [root]
        guard let last = steps.last, last.type == "ByteLevel" else {
            throw unsupported("a pre_tokenizer that does not end with ByteLevel")
        }
        guard last.useRegex == false else { throw unsupported("pre_tokenizer ByteLevel with use_regex") }
        guard last.addPrefixSpace == false else { throw unsupported("pre_tokenizer ByteLevel with add_prefix_space") }
        var patterns: [Pattern] = []
        for (index, step) in steps.dropLast().enumerated() { patterns.append(try pattern(step, at: index)) }
        return PreTokenizer(patterns: patterns)
    }

    private func pattern(_ step: Component, at index: Int) throws(TokenizerError) -> Pattern {
        let place = "pre_tokenizer.pretokenizers[\(index)]"
        let expression: String
        switch step.type {
        case "Split":
            guard let regex = step.pattern?["Regex"] else { throw unsupported("\(place): a pattern without Regex") }
            guard step.behavior == "Isolated" else {
                throw unsupported("\(place): behavior \(step.behavior ?? "null")")
            }
            guard step.invert != true else { throw unsupported("\(place): invert") }
            expression = regex
        case "Digits":
            expression = step.individualDigits == true ? "\\p{N}" : "\\p{N}+"
        default:
            throw unsupported("\(place): type \(step.type)")
        }
        do {
            return try Pattern(expression)
        } catch {
            throw failure("\(place): the expression \(expression) cannot be used: \(error.reason)")
        }
    }

    /// Tokens as the file has them, by id.
    func vocabulary() throws(TokenizerError) -> Vocabulary {
        let added = file.addedTokens ?? []
        var tokens: [String?] = []
        for (token, id) in file.model.vocabulary { try place(token, at: id, in: &tokens) }
        for token in added where tokenID(token.content) == nil { try place(token.content, at: token.id, in: &tokens) }
        for token in added {
            if let id = tokenID(token.content), id != token.id {
                throw failure("added token \(token.content) has id \(token.id), but the vocabulary gives it \(id)")
            }
        }
        return Vocabulary(tokens: tokens, specialIDs: added.filter { $0.special == true }.map(\.id))
    }

    private func tokenID(_ token: String) -> Int? {
        file.model.vocabulary[token]
    }

    private func place(_ token: String, at id: Int, in tokens: inout [String?]) throws(TokenizerError) {
        guard id >= 0, id < Vocabulary.maximumCount else {
            throw failure("token \(token.debugDescription) has the impossible id \(id)")
        }
        if id >= tokens.count { tokens += Array(repeating: nil, count: id + 1 - tokens.count) }
        if let other = tokens[id], other != token {
            throw failure("tokens \(other.debugDescription) and \(token.debugDescription) share the id \(id)")
        }
        tokens[id] = token
    }

    func addedTokens() throws(TokenizerError) -> AddedTokens {
        var notNormalized: [(content: [UInt8], id: Int)] = []
        var normalized: [(content: [UInt8], id: Int)] = []
        for token in file.addedTokens ?? [] {
            guard !token.content.isEmpty else { throw failure("added token \(token.id) is empty") }
            for (name, isSet) in [
                ("single_word", token.singleWord), ("lstrip", token.lstrip), ("rstrip", token.rstrip),
            ] where isSet == true {
                throw unsupported("added token \(token.content): \(name)")
            }
            let entry = (content: Array(token.content.utf8), id: token.id)
            if token.normalized ?? (token.special != true) {
                normalized.append(entry)
            } else {
                notNormalized.append(entry)
            }
        }
        return AddedTokens(notNormalized: notNormalized, normalized: normalized)
    }

    func encoder() throws(TokenizerError) -> BytePairEncoder {
        var byteIDs: [Int32] = []
        for (byte, scalar) in ByteAlphabet().scalars.enumerated() {
            guard let id = tokenID(String(scalar)) else {
                throw failure("the vocabulary has no token for the byte \(byte)")
            }
            byteIDs.append(Int32(id))
        }
        return BytePairEncoder(byteIDs: byteIDs, merges: try merges())
    }

    private func merges() throws(TokenizerError) -> [(left: Int32, right: Int32, merged: Int32)] {
        switch file.model.merges {
        case .pairs(let pairs):
            return try merges(pairs.count) { pairs[$0] }
        case .joined(let lines):
            return try merges(lines.count) {
                lines[$0].split(separator: " ", omittingEmptySubsequences: false).map(String.init)
            }
        }
    }

    private func merges(
        _ count: Int, _ parts: (Int) -> [String]
    ) throws(TokenizerError) -> [(left: Int32, right: Int32, merged: Int32)] {
        var merges: [(left: Int32, right: Int32, merged: Int32)] = []
        merges.reserveCapacity(count)
        for index in 0..<count {
            let parts = parts(index)
            guard parts.count == 2 else { throw failure("model.merges[\(index)] is not a pair of tokens") }
            var ids: [Int32] = []
            for token in [parts[0], parts[1], parts[0] + parts[1]] {
                guard let id = tokenID(token) else {
                    throw failure(
                        "model.merges[\(index)] needs the token \(token.debugDescription), which model.vocab lacks")
                }
                ids.append(Int32(id))
            }
            merges.append((ids[0], ids[1], ids[2]))
        }
        return merges
    }

    /// The vocabulary by its bytes where `ignore_merges` asks for whole pieces first, else nothing.
    func wholePieces() -> [[UInt8]: Int32] {
        guard file.model.ignoreMerges == true else { return [:] }
        let alphabet = ByteAlphabet()
        var pieces: [[UInt8]: Int32] = [:]
        for (token, id) in file.model.vocabulary where alphabet.contains(token) {
            pieces[alphabet.bytes(of: token)] = Int32(id)
        }
        return pieces
    }

    func addedIDs() -> [String: Int] {
        Dictionary((file.addedTokens ?? []).map { ($0.content, $0.id) }) { _, last in last }
    }
}
