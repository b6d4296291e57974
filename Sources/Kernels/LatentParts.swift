internal import CKernels

/// The parts that a cache is attended to in, each by itself, before their sums are joined in order: so the sums do not
/// depend on who attends to which. Both lists give the same bits, since the blocks of a part are joined in order too.
package enum LatentParts {
    /// The short positions are one part, and every span behind them.
    case few
    /// Every block of the short positions is a part, and every span behind them.
    case many

    /// How many parts the positions 0 ..< `positions` have.
    package func count(_ positions: Int) -> Int {
        let short = (min(positions, Self.shortPositions) + size - 1) / size
        return short + (max(positions - Self.shortPositions, 0) + Self.spanPositions - 1) / Self.spanPositions
    }

    /// The positions of a part, as many as it may have.
    package func positions(of part: Int) -> Range<Int> {
        let shortParts = Self.shortPositions / size
        guard part >= shortParts else { return part * size..<(part + 1) * size }
        let first = Self.shortPositions + (part - shortParts) * Self.spanPositions
        return first..<first + Self.spanPositions
    }

    /// The blocks of the first part of so many positions: no other part has more.
    package static func longest(_ positions: Int) -> Int { blocks(min(positions, shortPositions)) }

    package static func blocks(_ positions: Int) -> Int { (positions + blockPositions - 1) / blockPositions }

    private var size: Int { self == .few ? Self.shortPositions : Self.blockPositions }

    package static let shortPositions = Int(COHORT_ATTENTION_SHORT)
    package static let spanPositions = Int(COHORT_ATTENTION_SPAN)
    package static let blockPositions = Int(COHORT_ATTENTION_BLOCK)
}
