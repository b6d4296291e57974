internal import Synchronization

/// The tokens of pieces seen before: most pieces of a text are words that come again.
final class PieceCache: Sendable {
    private let entries = Mutex<[[UInt8]: [Int32]]>([:])

    /// Longer pieces are rarely seen twice.
    static let maximumPieceByteCount = 48
    /// At most some 6 MB; a full cache starts afresh, so that no text can spoil it for good.
    static let maximumCount = 32_768

    /// The tokens of `piece`, from the cache or else by `encode`.
    func tokens(of piece: [UInt8], encode: ([UInt8]) -> [Int32]) -> [Int32] {
        guard piece.count <= Self.maximumPieceByteCount else { return encode(piece) }
        if let known = entries.withLock({ $0[piece] }) { return known }
        let tokens = encode(piece)
        entries.withLock { entries in
            if entries.count >= Self.maximumCount { entries.removeAll(keepingCapacity: true) }
            entries[piece] = tokens
        }
        return tokens
    }
}
