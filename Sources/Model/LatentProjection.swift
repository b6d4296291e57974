internal import Kernels

/// The memory of per-head matrices that stand transposed, in their stored dtype, with their block scales.
final class TransposedWeights: Sendable {
    private let weights: AlignedBuffer<UInt8>
    private let scales: AlignedBuffer<Float>

    private init(weightBytes: Int, scaleCount: Int) {
        weights = AlignedBuffer(count: weightBytes)
        scales = AlignedBuffer(count: scaleCount)
    }

    /// The first `count` rows of each head of `matrix` [heads * perHead, columns], transposed: per head [columns,
    /// count].
    static func keys(of matrix: WeightMatrix, heads: Int, perHead: Int, count: Int) -> [WeightMatrix] {
        precondition(matrix.rows == heads * perHead && matrix.rowPhase == 0 && matrix.columnPhase == 0)
        let (scaleRows, scaleColumns) = scaleGrid(of: matrix)
        let memory = TransposedWeights(
            weightBytes: matrix.dtype.byteCount(heads * count * matrix.columns), scaleCount: scaleRows * scaleColumns)
        let scales = matrix.scales.map { original in
            for row in 0..<scaleRows {
                for column in 0..<scaleColumns {
                    memory.scales.pointer[column * scaleRows + row] = original.values[row * original.stride + column]
                }
            }
            return BlockScales(
                values: UnsafePointer(memory.scales.pointer), stride: scaleRows, blockRows: original.blockColumns,
                blockColumns: original.blockRows)
        }
        return (0..<heads).map { head in
            let place =
                UnsafeMutableRawPointer(memory.weights.pointer)
                + matrix.dtype.byteCount(head * count * matrix.columns)
            transpose(matrix.slice(rows: head * perHead..<head * perHead + count), into: place)
            return WeightMatrix(
                dtype: matrix.dtype, rows: matrix.columns, columns: count, weights: UnsafeRawPointer(place),
                scales: scales, columnPhase: head * perHead, owner: memory)
        }
    }

    private static func scaleGrid(of matrix: WeightMatrix) -> (rows: Int, columns: Int) {
        guard let scales = matrix.scales else { return (0, 0) }
        return (
            (matrix.rows + scales.blockRows - 1) / scales.blockRows,
            (matrix.columns + scales.blockColumns - 1) / scales.blockColumns
        )
    }

    private static func transpose(_ matrix: WeightMatrix, into place: UnsafeMutableRawPointer) {
        switch matrix.dtype.byteCount(1) {
        case 1: transpose(matrix, as: UInt8.self, into: place)
        case 2: transpose(matrix, as: UInt16.self, into: place)
        default: transpose(matrix, as: UInt32.self, into: place)
        }
    }

    private static func transpose<Element: BitwiseCopyable>(
        _ matrix: WeightMatrix, as type: Element.Type, into place: UnsafeMutableRawPointer
    ) {
        let size = MemoryLayout<Element>.size
        let target = place.assumingMemoryBound(to: Element.self)
        for row in 0..<matrix.rows {
            for column in 0..<matrix.columns {
                target[column * matrix.rows + row] = matrix.weights.loadUnaligned(
                    fromByteOffset: (row * matrix.rowStride + column) * size, as: type)
            }
        }
    }
}
