internal import Experts
internal import Kernels
internal import Wire

/// A slice of an expert as the run of bytes that another worker reads, where its numbers lie. Keeps them alive.
struct SliceImage {
    let description: SliceDescription
    private let layout: SliceLayout
    private let matrices: [WeightMatrix]
    /// Pieces of memory by where they stand, in that order.
    private let pieces: [(start: Int, bytes: UnsafeRawBufferPointer)]
    private let zeros = AlignedBuffer<UInt8>(count: SliceLayout.alignment)

    /// nil for weights in a form that cannot be sent.
    init?(_ weights: ExpertWeights) {
        matrices = [weights.gate, weights.up, weights.down].map {
            $0.rowStride == $0.dtype.packedStride($0.columns) ? $0 : $0.copied()
        }
        description = SliceDescription(
            gate: SliceDescription.Matrix(matrices[0]), up: SliceDescription.Matrix(matrices[1]),
            down: SliceDescription.Matrix(matrices[2]))
        guard let layout = SliceLayout(description) else { return nil }
        self.layout = layout
        var pieces: [(start: Int, bytes: UnsafeRawBufferPointer)] = []
        for (matrix, place) in zip(matrices, layout.weights) {
            pieces.append((place.lowerBound, UnsafeRawBufferPointer(start: matrix.weights, count: place.count)))
        }
        for (index, matrix) in matrices.enumerated() {
            guard let scales = matrix.scales, let grid = description.matrices[index].scaleGrid else { continue }
            let first = scales.values + matrix.rowPhase / scales.blockRows * scales.stride
            // Rows of scales that lie side by side are one piece.
            let isWhole = grid.columns == scales.stride
            let byteCount = (isWhole ? grid.rows : 1) * grid.columns * MemoryLayout<Float>.size
            for row in 0..<(isWhole ? 1 : grid.rows) {
                let start = first + row * scales.stride + matrix.columnPhase / scales.blockColumns
                pieces.append(
                    (
                        layout.scales[index].lowerBound + row * byteCount,
                        UnsafeRawBufferPointer(start: start, count: byteCount)
                    ))
            }
        }
        self.pieces = pieces
    }

    var byteCount: Int { layout.byteCount }

    /// Calls `body` with the memory of a part of the run; it is valid as long as the image.
    func withSegments<Value>(
        of range: Range<Int>, _ body: ([UnsafeRawBufferPointer]) throws -> Value
    ) rethrows -> Value {
        var segments: [UnsafeRawBufferPointer] = []
        var position = range.lowerBound
        for piece in pieces where piece.start + piece.bytes.count > position && position < range.upperBound {
            if piece.start > position {
                let end = min(piece.start, range.upperBound)
                segments.append(UnsafeRawBufferPointer(start: zeros.pointer, count: end - position))
                position = end
            }
            let part = position - piece.start..<min(piece.bytes.count, range.upperBound - piece.start)
            guard !part.isEmpty else { continue }
            segments.append(UnsafeRawBufferPointer(rebasing: piece.bytes[part]))
            position += part.count
        }
        if position < range.upperBound {
            segments.append(UnsafeRawBufferPointer(start: zeros.pointer, count: range.upperBound - position))
        }
        return try withExtendedLifetime((matrices, zeros)) { try body(segments) }
    }
}
