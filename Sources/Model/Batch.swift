/// The tokens of one forward pass: rows of one or more sequences, each a run of consecutive positions.
package struct Batch {
    /// Tokens at consecutive positions of one sequence.
    package struct Segment {
        let cache: LatentCache
        let tokens: ArraySlice<Int>
        let firstPosition: Int

        package init(cache: LatentCache, tokens: ArraySlice<Int>, firstPosition: Int) {
            self.cache = cache
            self.tokens = tokens
            self.firstPosition = firstPosition
        }
    }

    /// One row: a token of a sequence at a position.
    struct Row {
        let segment: Int
        let position: Int
        let token: Int
    }

    /// Of each segment.
    let caches: [LatentCache]
    let rows: [Row]

    package init(_ segments: [Segment]) {
        caches = segments.map(\.cache)
        var rows: [Row] = []
        rows.reserveCapacity(segments.reduce(0) { $0 + $1.tokens.count })
        for (index, segment) in segments.enumerated() {
            for (offset, token) in segment.tokens.enumerated() {
                rows.append(Row(segment: index, position: segment.firstPosition + offset, token: token))
            }
        }
        self.rows = rows
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
}
