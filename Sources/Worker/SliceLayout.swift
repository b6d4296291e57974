internal import Kernels
internal import Wire

/// Where the matrices of a slice and their scales stand in the run of bytes that chunks are cut from: gate, up and
/// down, then their scales, each from a multiple of 64 bytes on, with zeros between.
struct SliceLayout {
    /// By gate, up, down.
    let weights: [Range<Int>]
    /// By gate, up, down; empty where a matrix has none.
    let scales: [Range<Int>]
    let byteCount: Int

    /// nil when a matrix is of a dtype that cannot be sent, or has scales where it should not.
    init?(_ description: SliceDescription) {
        var end = 0
        func place(_ byteCount: Int) -> Range<Int> {
            let start = (end + Self.alignment - 1) / Self.alignment * Self.alignment
            end = start + byteCount
            return start..<end
        }
        var weights: [Range<Int>] = []
        for matrix in description.matrices {
            guard let dtype = WeightDType(rawValue: matrix.dtype), dtype.isScaled == (matrix.block != nil) else {
                return nil
            }
            weights.append(place(dtype.byteCount(rows: matrix.rows, columns: matrix.columns)))
        }
        self.weights = weights
        scales = description.matrices.map { matrix in
            place(matrix.scaleGrid.map { $0.rows * $0.columns * MemoryLayout<Float>.size } ?? 0)
        }
        byteCount = end
    }

    static let alignment = 64
}

extension SliceDescription {
    var matrices: [Matrix] { [gate, up, down] }
}

extension SliceDescription.Matrix {
    /// How many scales stand in memory, beginning with that of element (0, 0); nil without any.
    var scaleGrid: (rows: Int, columns: Int)? {
        block.map { block in
            let rows = WeightDType(rawValue: dtype)?.filled(rows) ?? rows
            return (
                (rowPhase + rows + block.rows - 1) / block.rows,
                (columnPhase + columns + block.columns - 1) / block.columns
            )
        }
    }

    /// - Parameter matrix: in its stored dtype.
    init(_ matrix: WeightMatrix) {
        let block = matrix.scales.map { ModelShape.Block(rows: $0.blockRows, columns: $0.blockColumns) }
        self.init(
            dtype: matrix.dtype.rawValue, rows: matrix.rows, columns: matrix.columns, block: block,
            rowPhase: block.map { matrix.rowPhase % $0.rows } ?? 0,
            columnPhase: block.map { matrix.columnPhase % $0.columns } ?? 0)
    }
}
