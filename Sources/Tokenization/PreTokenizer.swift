/// Cuts text into the pieces that are encoded one by one: each expression inside the pieces of the one before.
struct PreTokenizer: Sendable {
    private let patterns: [Pattern]

    init(patterns: [Pattern]) {
        self.patterns = patterns
    }

    /// The pieces of `range` of `text`, in order, none of them empty.
    func pieces(
        of text: UnsafeBufferPointer<UInt8>, in range: Range<Int>, _ matcher: borrowing PatternMatcher
    ) throws(PatternMatcher.LimitError) -> [Range<Int>] {
        var pieces = range.isEmpty ? [] : [range]
        for pattern in patterns {
            var smaller: [Range<Int>] = []
            smaller.reserveCapacity(pieces.count)
            for piece in pieces { try matcher.split(text, in: piece, by: pattern) { smaller.append($0) } }
            pieces = smaller
        }
        return pieces
    }
}
