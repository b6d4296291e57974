/// The tokens by id: their bytes, and whether they are special.
struct Vocabulary: Sendable {
    /// One more than the largest id; ids in between may be unused.
    let count: Int
    private var bytes: [UInt8] = []
    private var offsets: [Int] = [0]
    private var special: [Bool]

    /// Ids past this are taken for a broken file: the largest published vocabularies have 262,144.
    static let maximumCount = 1 << 21

    /// - Parameter tokens: text as it stands in the file, by id; nil for unused ids.
    init(tokens: [String?], specialIDs: [Int]) {
        count = tokens.count
        special = Array(repeating: false, count: tokens.count)
        for id in specialIDs { special[id] = true }
        let alphabet = ByteAlphabet()
        offsets.reserveCapacity(tokens.count + 1)
        for token in tokens {
            if let token { bytes += alphabet.bytes(of: token) }
            offsets.append(bytes.count)
        }
    }

    /// The bytes that token `id` stands for; none for an id that no token has.
    func bytes(of id: Int) -> ArraySlice<UInt8> {
        guard id >= 0, id < count else { return [] }
        return bytes[offsets[id]..<offsets[id + 1]]
    }

    func isSpecial(_ id: Int) -> Bool {
        id >= 0 && id < count && special[id]
    }
}
