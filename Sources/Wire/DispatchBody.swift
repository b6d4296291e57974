/// A validated view of a dispatch's payload: pairs x {row, expert, rank}, then the rows [rowCount, hiddenSize].
/// Points into the payload; valid as long as that is.
package struct DispatchBody {
    /// What the receiver holds pairs and counts against.
    package struct Bounds: Sendable, Equatable {
        package let maximumRows: Int
        package let expertCount: Int
        package let rankCount: Int

        package init(maximumRows: Int, expertCount: Int, rankCount: Int) {
            self.maximumRows = maximumRows
            self.expertCount = expertCount
            self.rankCount = rankCount
        }
    }

    package let shape: RowShape
    /// The answers asked for; the combine has them in this order.
    package let pairs: UnsafeBufferPointer<ExpertPair>
    /// [rowCount] rows of the shape's dtype, one after another.
    package let rows: UnsafeRawBufferPointer
    package var rowCount: Int { rows.count / shape.byteCount }

    /// `payload` must be aligned to 8 bytes, as every exchange hands it out.
    package init(
        header: FrameHeader, payload: UnsafeRawBufferPointer, shape: RowShape, bounds: Bounds
    ) throws(BodyError) {
        guard header.kind == .dispatch else { throw .wrongKind(header.kind) }
        guard header.dtype == shape.dtype else { throw .wrongDType(header.dtype, expected: shape.dtype) }
        let rowCount = Int(header.rowCount)
        let pairCount = Int(header.pairCount)
        guard rowCount <= bounds.maximumRows else { throw .tooManyRows(rowCount, limit: bounds.maximumRows) }
        let expected = Self.byteCount(rows: rowCount, pairs: pairCount, shape: shape)
        guard payload.count == expected else { throw .wrongLength(byteCount: payload.count, expected: expected) }
        let pairBytes = UnsafeRawBufferPointer(rebasing: payload.prefix(pairCount * ExpertPair.byteCount))
        self.shape = shape
        self.pairs = pairBytes.assumingMemoryBound(to: ExpertPair.self)
        self.rows = UnsafeRawBufferPointer(rebasing: payload.dropFirst(pairBytes.count))
        for index in 0..<pairCount {
            let pair = pairs[index]
            guard pair.row < header.rowCount else {
                throw .rowOutOfRange(pair: index, row: Int(pair.row), count: rowCount)
            }
            guard pair.expert < bounds.expertCount else {
                throw .expertOutOfRange(pair: index, expert: Int(pair.expert), count: bounds.expertCount)
            }
            guard pair.rank < bounds.rankCount else {
                throw .rankOutOfRange(pair: index, rank: Int(pair.rank), count: bounds.rankCount)
            }
        }
    }

    /// Bytes of a dispatch's payload.
    package static func byteCount(rows: Int, pairs: Int, shape: RowShape) -> Int {
        pairs * ExpertPair.byteCount + rows * shape.byteCount
    }
}
