internal import Kernels

/// Keeps alive what a matrix points to: the mapped file and the copied block scales.
final class MatrixOwner: Sendable {
    struct Scales {
        let values: [Float]
        let stride: Int
        let block: BlockShape
    }

    let blockScales: BlockScales?
    private let file: SafetensorsFile
    private let buffer: AlignedBuffer<Float>?

    init(file: SafetensorsFile, scales: Scales?) {
        self.file = file
        guard let scales else {
            buffer = nil
            blockScales = nil
            return
        }
        let buffer = AlignedBuffer<Float>(count: scales.values.count)
        for (index, value) in scales.values.enumerated() { buffer.pointer[index] = value }
        self.buffer = buffer
        blockScales = BlockScales(
            values: buffer.pointer, stride: scales.stride, blockRows: scales.block.rows,
            blockColumns: scales.block.columns)
    }
}
