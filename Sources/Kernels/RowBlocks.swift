/// Rows in blocks of one size; the last may be smaller.
package struct RowBlocks: Sendable {
    package let rows: Int
    package let size: Int

    package var count: Int { (rows + size - 1) / size }

    package subscript(block: Int) -> Range<Int> {
        block * size..<min((block + 1) * size, rows)
    }
}
