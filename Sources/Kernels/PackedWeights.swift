/// A weight's own memory: what a copied slice of a bigger matrix is kept alive by.
private final class PackedWeights: Sendable {
    let weights: AlignedBuffer<UInt8>
    let scales: AlignedBuffer<Float>

    init(byteCount: Int, scaleCount: Int) {
        weights = AlignedBuffer(count: byteCount)
        scales = AlignedBuffer(count: scaleCount)
    }
}

extension WeightMatrix {
    /// The same matrix in memory of its own, row after row, with the scales it needs; blocks stay where they were. Not
    /// for INT8, which has memory of its own.
    package func copied() -> WeightMatrix {
        precondition(dtype != .int8, "INT8 has memory of its own")
        let grid = scales.map { blockGrid($0) }
        let packed = PackedWeights(
            byteCount: rows * dtype.byteCount(columns), scaleCount: (grid?.rows.count ?? 0) * (grid?.columns.count ?? 0)
        )
        let rowByteCount = dtype.byteCount(columns)
        let bytes = UnsafeMutableRawPointer(packed.weights.pointer)
        for row in 0..<rows {
            (bytes + row * rowByteCount).copyMemory(
                from: weights + dtype.byteCount(row * rowStride), byteCount: rowByteCount)
        }
        guard let scales, let grid else {
            return WeightMatrix(dtype: dtype, rows: rows, columns: columns, weights: bytes, owner: packed)
        }
        for (index, row) in grid.rows.enumerated() {
            (packed.scales.pointer + index * grid.columns.count).update(
                from: scales.values + row * scales.stride + grid.columns.lowerBound, count: grid.columns.count)
        }
        let packedScales = BlockScales(
            values: packed.scales.pointer, stride: grid.columns.count, blockRows: scales.blockRows,
            blockColumns: scales.blockColumns)
        return WeightMatrix(
            dtype: dtype, rows: rows, columns: columns, weights: bytes, scales: packedScales,
            rowPhase: rowPhase % scales.blockRows, columnPhase: columnPhase % scales.blockColumns, owner: packed)
    }

    /// The rows and columns of scales that this matrix touches.
    private func blockGrid(_ scales: BlockScales) -> (rows: Range<Int>, columns: Range<Int>) {
        func blocks(_ phase: Int, _ count: Int, _ size: Int) -> Range<Int> {
            phase / size..<(phase + count + size - 1) / size
        }
        return (blocks(rowPhase, rows, scales.blockRows), blocks(columnPhase, columns, scales.blockColumns))
    }
}
