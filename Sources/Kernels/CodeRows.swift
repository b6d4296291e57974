internal import CKernels

/// A view of activation rows as INT8 codes with a scale for each `KernelSet.rowBlock` columns, which INT8 matrices are
/// multiplied by in whole numbers. Does not own its memory.
package struct CodeRows {
    /// Block after block, row after row, of 4-byte alignment.
    package let blocks: UnsafeRawPointer
    /// Bytes from one row to the next.
    package let stride: Int

    /// - Parameter stride: `byteCount(columns:)` or a multiple of a block's bytes beyond that.
    package init(_ blocks: UnsafeRawPointer, stride: Int) {
        precondition(stride.isMultiple(of: Self.blockByteCount), "rows of codes are whole blocks")
        self.blocks = blocks
        self.stride = stride
    }

    /// Every so many of the rows from one on.
    package func rows(from first: Int, by step: Int = 1) -> CodeRows {
        CodeRows(blocks + first * stride, stride: step * stride)
    }

    /// Bytes of a row; what its last block has no columns for is filled up.
    package static func byteCount(columns: Int) -> Int {
        (columns + KernelSet.rowBlock - 1) / KernelSet.rowBlock * blockByteCount
    }

    private static var blockByteCount: Int { MemoryLayout<cohort_code_block>.size }

    func table(rows: Int) -> cohort_rows {
        cohort_rows(
            values: blocks, stride: stride / Self.blockByteCount * KernelSet.rowBlock, count: UInt32(rows),
            dtype: UInt32(COHORT_I8))
    }
}

extension KernelSet {
    /// A row as INT8 codes, [count]: rounds to nearest even; a block with a number that is not finite has scale NaN.
    /// - Parameter blocks: `CodeRows.byteCount(columns: count)` bytes.
    package func narrow(_ values: UnsafePointer<Float>, count: Int, blocks: UnsafeMutableRawPointer) {
        table.narrow_i8(values, UInt32(count), blocks.assumingMemoryBound(to: cohort_code_block.self))
    }
}
