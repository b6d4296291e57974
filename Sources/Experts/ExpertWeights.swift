package import Checkpoint
package import Kernels

/// One routed expert of one layer, or one tensor-parallel slice of its intermediate width.
package struct ExpertWeights: Sendable {
    /// [width, hidden]
    package let gate: WeightMatrix
    /// [width, hidden]
    package let up: WeightMatrix
    /// [hidden, width]
    package let down: WeightMatrix

    package init(gate: WeightMatrix, up: WeightMatrix, down: WeightMatrix) {
        self.gate = gate
        self.up = up
        self.down = down
    }

    /// Maps an expert from a checkpoint.
    /// - Parameter width: which part of the intermediate width; nil is all of it. A part of `down` is columns, which
    ///   are copied, since the pages that hold them hold the other parts too.
    /// - Throws: `CheckpointError` when a tensor is missing or has another shape or dtype.
    package init(from checkpoint: Checkpoint, layer: Int, expert: Int, width: Range<Int>? = nil) throws {
        let config = checkpoint.config
        let names = LayerTensorNames(layer: layer).expert(expert)
        let intermediate = config.expertIntermediateSize
        let isWhole = width == nil || width == 0..<intermediate
        let gate = try checkpoint.matrix(names.gate, rows: intermediate, columns: config.hiddenSize)
        let up = try checkpoint.matrix(names.up, rows: intermediate, columns: config.hiddenSize)
        let down = try checkpoint.matrix(names.down, rows: config.hiddenSize, columns: intermediate)
        guard let width, !isWhole else {
            self.init(gate: gate, up: up, down: down)
            return
        }
        checkpoint.adviseWillNeed(down)
        self.init(
            gate: gate.slice(rows: width), up: up.slice(rows: width), down: down.slice(columns: width).copied())
        checkpoint.adviseWillNeed(self.gate)
        checkpoint.adviseWillNeed(self.up)
        checkpoint.adviseDoNotNeed(down)
    }

    /// Reads whole experts, (layer, expert), from the disk before they are mapped.
    /// - Throws: `CheckpointError` when a file cannot be opened.
    package static func readAhead(_ experts: some Sequence<(Int, Int)>, of checkpoint: Checkpoint) throws {
        try checkpoint.readAhead(
            experts.lazy.flatMap { layer, expert in
                let names = LayerTensorNames(layer: layer).expert(expert)
                return [names.gate, names.up, names.down]
            })
    }

    /// The same as `held`, each in memory of its own.
    /// - Parameter checkpoint: where the originals were mapped from; it lets go of them.
    package static func converted(
        _ experts: [ExpertWeights], to held: HeldDType, by converter: WeightConverter,
        lettingGoOf checkpoint: Checkpoint
    ) -> [ExpertWeights] {
        let matrices = converter.convert(
            experts.flatMap { [$0.gate, $0.up, $0.down] }, to: held, release: checkpoint.adviseDoNotNeed)
        return stride(from: 0, to: matrices.count, by: 3).map {
            ExpertWeights(gate: matrices[$0], up: matrices[$0 + 1], down: matrices[$0 + 2])
        }
    }

    package var width: Int { gate.rows }

    /// Bytes of a slice of `width` columns of this whole expert, once it is `held`; nil: as it is.
    package func byteCount(width: Int, as held: HeldDType?) -> Int {
        [(gate, width, gate.columns), (up, width, up.columns), (down, down.rows, width)].reduce(0) { sum, part in
            let (matrix, rows, columns) = part
            guard let held, held.dtype != matrix.dtype else {
                return sum + matrix.byteCount / self.width * width
            }
            return sum + held.byteCount(rows: rows, columns: columns)
        }
    }

    package var byteCount: Int { gate.byteCount + up.byteCount + down.byteCount }
}

/// An expert's matrices as kernels take them; whoever has it keeps the `ExpertWeights`.
struct UnownedExpert: Sendable {
    let gate: UnownedMatrix
    let up: UnownedMatrix
    let down: UnownedMatrix

    init(_ weights: ExpertWeights) {
        gate = weights.gate.unowned
        up = weights.up.unowned
        down = weights.down.unowned
    }
}
