/// Rows in blocks of one size; the last may be smaller.
package struct RowBlocks: Sendable {
    package let rows: Int
    package let size: Int

    package var count: Int { (rows + size - 1) / size }

    package subscript(block: Int) -> Range<Int> { self[block..<block + 1] }

    /// The rows of neighbouring blocks.
    package subscript(blocks: Range<Int>) -> Range<Int> {
        blocks.lowerBound * size..<min(blocks.upperBound * size, rows)
    }
}
