internal import Experts
internal import Kernels
internal import Wire

/// A slice of an expert that comes from another worker, in memory of its own.
struct ReceivedSlice {
    private let description: SliceDescription
    private let layout: SliceLayout
    private let memory: AlignedBuffer<UInt8>

    /// - Parameter description: held against the model by the caller: so much memory is taken.
    init(_ description: SliceDescription, _ layout: SliceLayout) {
        self.description = description
        self.layout = layout
        memory = AlignedBuffer(count: layout.byteCount)
    }

    /// Puts a part into its place, which lies inside the slice.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        precondition(offset >= 0 && offset + bytes.count <= layout.byteCount, "a part outside of the slice")
        guard let start = bytes.baseAddress else { return }
        UnsafeMutableRawPointer(memory.pointer + offset).copyMemory(from: start, byteCount: bytes.count)
    }

    /// The whole, once every part is in its place.
    var weights: ExpertWeights {
        ExpertWeights(
            gate: matrix(0, description.gate), up: matrix(1, description.up), down: matrix(2, description.down))
    }

    private func matrix(_ index: Int, _ matrix: SliceDescription.Matrix) -> WeightMatrix {
        guard let dtype = WeightDType(rawValue: matrix.dtype) else {
            preconditionFailure("the layout knows the dtype")
        }
        let start = UnsafeRawPointer(memory.pointer)
        let scales = matrix.block.flatMap { block in
            matrix.scaleGrid.map { grid in
                BlockScales(
                    values: (start + layout.scales[index].lowerBound).assumingMemoryBound(to: Float.self),
                    stride: grid.columns, blockRows: block.rows, blockColumns: block.columns)
            }
        }
        return WeightMatrix(
            dtype: dtype, rows: matrix.rows, columns: matrix.columns,
            weights: start + layout.weights[index].lowerBound, scales: scales, rowPhase: matrix.rowPhase,
            columnPhase: matrix.columnPhase, owner: memory)
    }
}
