internal import CKernels

/// A weight matrix as kernels take it. It does not keep its weights: whoever has it keeps the `WeightMatrix`.
package struct UnownedMatrix: Sendable {
    package let rows: Int
    package let columns: Int
    nonisolated(unsafe) let table: cohort_matrix

    /// The first weight.
    package var start: UnsafeRawPointer { table.weights }

    /// Bytes from one row to another, so many rows further.
    func byteCount(rows: Int) -> Int {
        (WeightDType(rawValue: table.dtype) ?? .f32).byteCount(rows * Int(table.row_stride))
    }

    var isInt8: Bool { table.dtype == UInt32(COHORT_I8) }

    /// Whether it can be multiplied by codes: its blocks are as long as theirs.
    var takesCodes: Bool { isInt8 && table.block_columns == COHORT_ROW_BLOCK }

    fileprivate init(_ matrix: WeightMatrix) {
        rows = matrix.rows
        columns = matrix.columns
        table = cohort_matrix(
            weights: matrix.weights, scales: matrix.scales?.values, row_stride: matrix.rowStride,
            dtype: matrix.dtype.rawValue, columns: UInt32(matrix.columns),
            scale_stride: UInt32(matrix.scales?.stride ?? 0), block_rows: UInt32(matrix.scales?.blockRows ?? 0),
            block_columns: UInt32(matrix.scales?.blockColumns ?? 0), row_phase: UInt32(matrix.rowPhase),
            column_phase: UInt32(matrix.columnPhase))
    }
}

extension WeightMatrix {
    package var unowned: UnownedMatrix { UnownedMatrix(self) }
}
