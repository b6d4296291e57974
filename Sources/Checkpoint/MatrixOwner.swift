internal import Kernels

/// Keeps alive what a matrix points to: the mapped file and the copied block scales.
final class MatrixOwner: @unchecked Sendable {
    struct Scales {
        let values: [Float]
        let stride: Int
        let block: BlockShape
    }

    let blockScales: BlockScales?
    private let file: SafetensorsFile
    private let buffer: UnsafeMutablePointer<Float>?

    init(file: SafetensorsFile, scales: Scales?) {
        self.file = file
        guard let scales else {
            buffer = nil
            blockScales = nil
            return
        }
        let buffer = UnsafeMutablePointer<Float>.allocate(capacity: max(scales.values.count, 1))
        for (index, value) in scales.values.enumerated() { (buffer + index).initialize(to: value) }
        self.buffer = buffer
        blockScales = BlockScales(
            values: buffer, stride: scales.stride, blockRows: scales.block.rows, blockColumns: scales.block.columns)
    }

    deinit {
        buffer?.deallocate()
    }
}
