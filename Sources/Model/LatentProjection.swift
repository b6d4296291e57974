internal import Kernels

/// The projection out of the latent (kv_b), head by head and in memory of its own: keys stand transposed, values as
/// they are. In the stored dtype, with the stored block scales.
struct LatentProjection {
    /// Per head [latent, key rows]
    let keys: [WeightMatrix]
    /// Per head [value rows, latent]
    let values: [WeightMatrix]

    /// - Parameter matrix: [heads * (key rows + value rows), latent], the keys of a head before its values. Its weights
    ///   are not needed any more afterwards.
    init(of matrix: WeightMatrix, heads: Int, keyRows: Int, valueRows: Int) {
        let perHead = keyRows + valueRows
        precondition(matrix.rows == heads * perHead && matrix.rowPhase == 0 && matrix.columnPhase == 0)
        let memory = Memory(of: matrix)
        let scales = memory.transposeScales(of: matrix)
        keys = (0..<heads).map { head in
            let place = memory.place(ofRow: head * keyRows)
            Self.transpose(matrix.slice(rows: head * perHead..<head * perHead + keyRows), into: place)
            return WeightMatrix(
                dtype: matrix.dtype, rows: matrix.columns, columns: keyRows, weights: place, scales: scales,
                columnPhase: head * perHead, owner: memory)
        }
        values = (0..<heads).map { head in
            let place = memory.place(ofRow: heads * keyRows + head * valueRows)
            let first = head * perHead + keyRows
            Self.copy(matrix.slice(rows: first..<first + valueRows), into: place)
            return WeightMatrix(
                dtype: matrix.dtype, rows: valueRows, columns: matrix.columns, weights: place, scales: matrix.scales,
                rowPhase: first, owner: memory)
        }
    }

    /// What all heads' matrices stand in.
    private final class Memory: Sendable {
        private let weights: AlignedBuffer<UInt8>
        private let scales: AlignedBuffer<Float>
        private let rowByteCount: Int
        private let grid: (rows: Int, columns: Int)
        /// Keeps the scales of values.
        private let original: any AnyObject & Sendable

        init(of matrix: WeightMatrix) {
            rowByteCount = matrix.dtype.byteCount(matrix.columns)
            grid = Self.scaleGrid(of: matrix)
            weights = AlignedBuffer(count: matrix.rows * rowByteCount)
            scales = AlignedBuffer(count: grid.rows * grid.columns)
            original = matrix.owner
        }

        /// Where so many rows of the matrix end.
        func place(ofRow row: Int) -> UnsafeMutableRawPointer {
            UnsafeMutableRawPointer(weights.pointer + row * rowByteCount)
        }

        func transposeScales(of matrix: WeightMatrix) -> BlockScales? {
            guard let stored = matrix.scales else { return nil }
            for row in 0..<grid.rows {
                for column in 0..<grid.columns {
                    scales.pointer[column * grid.rows + row] = stored.values[row * stored.stride + column]
                }
            }
            return BlockScales(
                values: scales.pointer, stride: grid.rows, blockRows: stored.blockColumns,
                blockColumns: stored.blockRows)
        }

        private static func scaleGrid(of matrix: WeightMatrix) -> (rows: Int, columns: Int) {
            guard let scales = matrix.scales else { return (0, 0) }
            return (
                (matrix.rows + scales.blockRows - 1) / scales.blockRows,
                (matrix.columns + scales.blockColumns - 1) / scales.blockColumns
            )
        }
    }

    private static func copy(_ matrix: WeightMatrix, into place: UnsafeMutableRawPointer) {
        let byteCount = matrix.dtype.byteCount(matrix.columns)
        for row in 0..<matrix.rows {
            (place + row * byteCount).copyMemory(
                from: matrix.weights + matrix.dtype.byteCount(row * matrix.rowStride), byteCount: byteCount)
        }
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
