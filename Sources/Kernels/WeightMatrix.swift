internal import CKernels

/// How a weight is stored, and stays stored: kernels widen it as they read.
package enum WeightDType: UInt32, Sendable, CaseIterable {
    case f32 = 0
    case f16 = 1
    case bf16 = 2
    case f8e4m3 = 3

    package var byteSize: Int {
        switch self {
        case .f32: 4
        case .f16, .bf16: 2
        case .f8e4m3: 1
        }
    }
}

/// The block scales of an FP8 matrix: element (r, c) of the whole matrix is multiplied by
/// `values[r / blockRows, c / blockColumns]`.
package struct BlockScales: @unchecked Sendable {
    /// [ceil(rows / blockRows), ceil(columns / blockColumns)], row-major, 4-byte aligned.
    package let values: UnsafePointer<Float>
    package let stride: Int
    package let blockRows: Int
    package let blockColumns: Int

    package init(values: UnsafePointer<Float>, stride: Int, blockRows: Int, blockColumns: Int) {
        self.values = values
        self.stride = stride
        self.blockRows = blockRows
        self.blockColumns = blockColumns
    }
}

/// A view of a weight [rows, columns] in its stored dtype. Immutable memory, kept alive by `owner`.
package struct WeightMatrix: @unchecked Sendable {
    package let dtype: WeightDType
    package let rows: Int
    package let columns: Int
    /// The first element; no alignment is assumed.
    package let weights: UnsafeRawPointer
    /// Elements from one row to the next.
    package let rowStride: Int
    package let scales: BlockScales?
    /// Where element (0, 0) stands in the block grid that `scales` starts with.
    package let rowPhase: Int
    package let columnPhase: Int
    package let owner: AnyObject

    package init(
        dtype: WeightDType, rows: Int, columns: Int, weights: UnsafeRawPointer, rowStride: Int? = nil,
        scales: BlockScales? = nil, rowPhase: Int = 0, columnPhase: Int = 0, owner: AnyObject
    ) {
        precondition((dtype == .f8e4m3) == (scales != nil), "FP8 weights, and only they, have block scales")
        self.dtype = dtype
        self.rows = rows
        self.columns = columns
        self.weights = weights
        self.rowStride = rowStride ?? columns
        self.scales = scales
        self.rowPhase = rowPhase
        self.columnPhase = columnPhase
        self.owner = owner
    }

    /// Bytes of the weights alone, without their scales.
    package var byteCount: Int { rows * columns * dtype.byteSize }

    /// A view of some rows and columns.
    package func slice(rows rowRange: Range<Int>? = nil, columns columnRange: Range<Int>? = nil) -> WeightMatrix {
        let rowRange = rowRange ?? 0..<rows
        let columnRange = columnRange ?? 0..<columns
        precondition(rowRange.lowerBound >= 0 && rowRange.upperBound <= rows, "rows outside the matrix")
        precondition(columnRange.lowerBound >= 0 && columnRange.upperBound <= columns, "columns outside the matrix")
        let offset = (rowRange.lowerBound * rowStride + columnRange.lowerBound) * dtype.byteSize
        return WeightMatrix(
            dtype: dtype, rows: rowRange.count, columns: columnRange.count, weights: weights + offset,
            rowStride: rowStride, scales: scales, rowPhase: rowPhase + rowRange.lowerBound,
            columnPhase: columnPhase + columnRange.lowerBound, owner: owner)
    }
}
