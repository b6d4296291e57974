internal import Checkpoint

/// The bytes of the `tensor` slices of one routed expert, scales included: rows of gate and up, columns of down.
struct ExpertSlices {
    /// [tensor] columns of the expert's intermediate dimension.
    let columns: [Range<Int>]
    /// [tensor]; a scale block that two slices share counts in both, since both hold it.
    let byteCounts: [Int]
    /// [tensor] for one row.
    let multiplyAdds: [Int]

    init(layout: ModelLayout, parallelism: Parallelism) throws(PlanError) {
        let config = layout.config
        let width = config.expertIntermediateSize
        guard parallelism.tensor <= width else { throw .slicesTooThin(tensor: parallelism.tensor, width: width) }
        let expert = TensorSpec.Role.expert(layer: config.denseLayerCount, expert: 0)
        let tensors = layout.tensors.filter { $0.role == expert }
        columns = (0..<parallelism.tensor).map { parallelism.columns(rank: $0, of: width) }
        multiplyAdds = columns.map { 3 * $0.count * config.hiddenSize }
        byteCounts = columns.map { run in
            tensors.reduce(0) { $0 + Self.byteCount(of: $1, columns: run) }
        }
    }

    private static func byteCount(of tensor: TensorSpec, columns: Range<Int>) -> Int {
        let cutsColumns = tensor.part == .down
        let other = cutsColumns ? tensor.shape[0] : tensor.shape[1]
        guard let block = tensor.scaleBlock else {
            return cutsColumns
                ? other * tensor.dtype.byteCount(columns.count) : columns.count * tensor.dtype.byteCount(other)
        }
        let side = cutsColumns ? block.columns : block.rows
        // A slice that is converted when it is loaded begins with groups of its own.
        let run = block.rows == 1 ? 0..<columns.count : columns
        let blocks = (run.upperBound - 1) / side - run.lowerBound / side + 1
        return tensor.dtype.byteCount(blocks * other)
    }
}
