internal import Synchronization

/// A bit for each of some threads, which any of them may set.
final class ThreadBits: Sendable {
    private nonisolated(unsafe) let words: UnsafeMutablePointer<Atomic<UInt64>>
    private let wordCount: Int

    init(count: Int) {
        wordCount = (count + UInt64.bitWidth - 1) / UInt64.bitWidth
        words = .allocate(capacity: wordCount)
        for word in 0..<wordCount { (words + word).initialize(to: Atomic(0)) }
    }

    deinit {
        words.deinitialize(count: wordCount)
        words.deallocate()
    }

    func clear() {
        for word in 0..<wordCount { words[word].store(0, ordering: .relaxed) }
    }

    /// - Returns: whether the bit was clear before.
    func set(_ index: Int) -> Bool {
        let (word, place) = index.quotientAndRemainder(dividingBy: UInt64.bitWidth)
        let bit: UInt64 = 1 << UInt64(place)
        return words[word].load(ordering: .relaxed) & bit == 0
            && words[word].bitwiseOr(bit, ordering: .relaxed).oldValue & bit == 0
    }
}
