internal import Checkpoint
internal import Kernels

/// A gated feed-forward that every token passes: a dense layer's, or the shared expert.
struct FeedForward {
    private let gate: WeightMatrix
    private let up: WeightMatrix
    private let down: WeightMatrix

    init(from weights: DenseWeights, _ names: FeedForwardTensorNames, width: Int) throws {
        let hidden = weights.checkpoint.config.hiddenSize
        gate = try weights.matrix(names.gate, rows: width, columns: hidden, .gate)
        up = try weights.matrix(names.up, rows: width, columns: hidden, .up)
        down = try weights.matrix(names.down, rows: hidden, columns: width, .down)
    }

    /// What `forward` reads its input as.
    var inputForms: RowForms { gate.inputForms.union(up.inputForms) }

    /// output [rows, hidden] = down(silu(gate(input)) * up(input)).
    func forward(_ input: Activations, _ workspace: Workspace, into output: UnsafeMutablePointer<Float>) {
        let processor = workspace.processor
        let (gates, ups) = (workspace.gates.pointer, workspace.ups.pointer)
        let forms = down.inputForms
        let matrices = (gate: gate.unowned, up: up.unowned)
        processor.forEachBlock(of: gate, inputRows: input.rows) { block in
            let first = block.lowerBound
            processor.kernels.product(matrices.gate, rows: block, input, into: gates + first, stride: gate.rows)
            processor.kernels.product(matrices.up, rows: block, input, into: ups + first, stride: gate.rows)
            for row in 0..<input.rows {
                let offset = row * gate.rows + first
                let values = gates + offset
                processor.kernels.swiglu(gate: values, up: ups + offset, count: block.count, into: values)
                workspace.gateOperand.take(values, count: block.count, at: offset, for: forms, processor.kernels)
            }
        }
        workspace.gateOperand.encode(gates, rows: input.rows, columns: gate.rows, for: forms, processor)
        let operand = workspace.gateOperand.loaded(gates, rows: input.rows, columns: gate.rows, for: forms)
        processor.multiply(operand, by: down, into: output)
    }
}
