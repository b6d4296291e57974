internal import CKernels

/// What weights are made of in memory: kernels widen them as they read. All but INT8 and INT4 are dtypes of stored
/// weights too.
package enum WeightDType: UInt32, Sendable, CaseIterable {
    case f32 = 0
    case f16 = 1
    case bf16 = 2
    case f8e4m3 = 3
    /// Two's complement, in fours of rows (`cohort_matrix`).
    case int8 = 4
    /// Two in a byte.
    case int4 = 5

    /// Bytes of weights that stand side by side.
    package func byteCount(_ count: Int) -> Int {
        switch self {
        case .f32: 4 * count
        case .f16, .bf16: 2 * count
        case .f8e4m3, .int8: count
        case .int4: (count + 1) / 2
        }
    }

    /// Elements from one row to the next where rows stand side by side: each begins with a byte of its own, of INT8
    /// with pieces of its own.
    package func packedStride(_ columns: Int) -> Int {
        switch self {
        case .int4: (columns + 1) / 2 * 2
        case .int8: (columns + Self.fillColumns - 1) / Self.fillColumns * Self.fillColumns
        case .f32, .f16, .bf16, .f8e4m3: columns
        }
    }

    /// Bytes of a matrix whose rows stand side by side.
    package func byteCount(rows: Int, columns: Int) -> Int {
        self == .int8 ? filled(rows) * packedStride(columns) : rows * byteCount(columns)
    }

    /// Rows that stand in memory, with their scales, where these are of single rows.
    package func filled(_ rows: Int) -> Int {
        self == .int8 ? (rows + Self.four - 1) / Self.four * Self.four : rows
    }

    /// Rows of INT8 that stand together, and columns of each that do.
    package static var four: Int { Int(COHORT_FOUR) }
    package static var piece: Int { Int(COHORT_PIECE) }
    /// What the columns of INT8 are filled up to a multiple of.
    package static var fillColumns: Int { four * piece }

    /// Whether weights have scales.
    package var isScaled: Bool {
        switch self {
        case .f8e4m3, .int8, .int4: true
        case .f32, .f16, .bf16: false
        }
    }
}

/// The scales of a matrix, each for a block of it: element (r, c) of the whole matrix is multiplied by
/// `values[r / blockRows, c / blockColumns]`.
package struct BlockScales: Sendable {
    /// [ceil(rows / blockRows), ceil(columns / blockColumns)], row-major, of INT8 in fours; 4-byte aligned, immutable,
    /// and kept alive by the matrix's owner.
    package nonisolated(unsafe) let values: UnsafePointer<Float>
    /// Blocks of a row, or more.
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

/// A view of a weight [rows, columns]. Immutable memory, kept alive by `owner`.
package struct WeightMatrix: Sendable {
    package let dtype: WeightDType
    package let rows: Int
    package let columns: Int
    /// The first element; no alignment is assumed.
    package nonisolated(unsafe) let weights: UnsafeRawPointer
    /// Elements from one row to the next; even for INT4.
    package let rowStride: Int
    package let scales: BlockScales?
    /// Where element (0, 0) stands in the block grid that `scales` starts with.
    package let rowPhase: Int
    package let columnPhase: Int
    package let owner: any AnyObject & Sendable

    package init(
        dtype: WeightDType, rows: Int, columns: Int, weights: UnsafeRawPointer, rowStride: Int? = nil,
        scales: BlockScales? = nil, rowPhase: Int = 0, columnPhase: Int = 0, owner: any AnyObject & Sendable
    ) {
        precondition(dtype.isScaled == (scales != nil), "weights of 8 bits and less, and only they, have scales")
        precondition(
            dtype != .int4 || ((rowStride ?? 0) | columnPhase | (scales?.blockColumns ?? 0)).isMultiple(of: 2),
            "rows and blocks of INT4 begin with a byte of their own")
        precondition(
            dtype != .int8
                || ((rowStride ?? 0) | (scales?.blockColumns ?? 0)).isMultiple(of: WeightDType.fillColumns)
                    && rowPhase.isMultiple(of: WeightDType.four) && columnPhase == 0 && scales?.blockRows == 1,
            "INT8 is fours of rows, and whole pieces of columns")
        self.dtype = dtype
        self.rows = rows
        self.columns = columns
        self.weights = weights
        self.rowStride = rowStride ?? dtype.packedStride(columns)
        self.scales = scales
        self.rowPhase = rowPhase
        self.columnPhase = columnPhase
        self.owner = owner
    }

    /// Bytes of the weights, with the scales where every row has its own. Those of large blocks are next to nothing.
    package var byteCount: Int {
        let weights = dtype.byteCount(rows: rows, columns: columns)
        guard let scales, scales.blockRows == 1 else { return weights }
        let groups = (columnPhase % scales.blockColumns + columns + scales.blockColumns - 1) / scales.blockColumns
        return weights + dtype.filled(rows) * groups * MemoryLayout<Float>.size
    }

    /// Bytes from the first weight to the end of the last.
    package var span: Int {
        guard rows > 0 && columns > 0 else { return 0 }
        if dtype == .int8 { return dtype.byteCount(rows: rows, columns: columns) }
        return dtype.byteCount((rows - 1) * rowStride) + dtype.byteCount(columns)
    }

    /// A view of some rows and columns; of INT8 of fours of rows alone.
    package func slice(rows rowRange: Range<Int>? = nil, columns columnRange: Range<Int>? = nil) -> WeightMatrix {
        let rowRange = rowRange ?? 0..<rows
        let columnRange = columnRange ?? 0..<columns
        precondition(rowRange.lowerBound >= 0 && rowRange.upperBound <= rows, "rows outside the matrix")
        precondition(columnRange.lowerBound >= 0 && columnRange.upperBound <= columns, "columns outside the matrix")
        precondition(
            dtype != .int4 || columnRange == 0..<columns
                || columnRange.lowerBound.isMultiple(of: 2) && columnRange.upperBound.isMultiple(of: 2),
            "two columns of INT4 share a byte")
        precondition(
            dtype != .int8 || columnRange == 0..<columns && rowRange.lowerBound.isMultiple(of: WeightDType.four),
            "a slice of INT8 is fours of whole rows")
        let offset = dtype.byteCount(rowRange.lowerBound * rowStride + columnRange.lowerBound)
        return WeightMatrix(
            dtype: dtype, rows: rowRange.count, columns: columnRange.count, weights: weights + offset,
            rowStride: rowStride, scales: scales, rowPhase: rowPhase + rowRange.lowerBound,
            columnPhase: columnPhase + columnRange.lowerBound, owner: owner)
    }
}
