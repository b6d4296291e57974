/// The tokens of one forward pass: rows of one or more sequences, each a run of consecutive positions.
package struct Batch {
    package struct Segment {
        package let cache: LatentCache
        package let tokens: [Int]
        package let firstPosition: Int

        package init(cache: LatentCache, tokens: [Int], firstPosition: Int) {
            self.cache = cache
            self.tokens = tokens
            self.firstPosition = firstPosition
        }
    }

    /// One row: a token of a sequence at a position.
    struct Row {
        let segment: Int
        let position: Int
    }

    package let segments: [Segment]
    let rows: [Row]

    package init(_ segments: [Segment]) {
        self.segments = segments
        rows = segments.enumerated().flatMap { index, segment in
            segment.tokens.indices.map { Row(segment: index, position: segment.firstPosition + $0) }
        }
    }

    /// Rows of one sequence, and the position of the first.
    struct Run {
        let segment: Int
        /// Counted from the first row of the tile.
        let rows: Range<Int>
        let position: Int
    }

    /// Calls `body` with the runs of rows of one sequence that a tile of rows is made of.
    func forEachRun(in tile: Range<Int>, _ body: (Run) -> Void) {
        var first = tile.lowerBound
        while first < tile.upperBound {
            let segment = rows[first].segment
            let end = rows[first..<tile.upperBound].firstIndex { $0.segment != segment } ?? tile.upperBound
            body(
                Run(
                    segment: segment, rows: first - tile.lowerBound..<end - tile.lowerBound,
                    position: rows[first].position))
            first = end
        }
    }

    package var rowCount: Int { rows.count }
    package var tokens: [Int] { segments.flatMap(\.tokens) }

    /// Makes room in every sequence's cache.
    package func reserve() throws(CacheError) {
        for segment in segments {
            try segment.cache.reserve(segment.firstPosition + segment.tokens.count)
        }
    }
}
