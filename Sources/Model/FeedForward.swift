internal import Checkpoint
internal import Kernels

/// A gated feed-forward that every token passes: a dense layer's, or the shared expert.
struct FeedForward {
    private let gate: WeightMatrix
    private let up: WeightMatrix
    private let down: WeightMatrix

    init(from checkpoint: Checkpoint, _ names: FeedForwardTensorNames, width: Int) throws {
        let hidden = checkpoint.config.hiddenSize
        gate = try checkpoint.matrix(names.gate, rows: width, columns: hidden)
        up = try checkpoint.matrix(names.up, rows: width, columns: hidden)
        down = try checkpoint.matrix(names.down, rows: hidden, columns: width)
    }

    /// output [rows, hidden] = down(silu(gate(input)) * up(input)).
    func forward(_ input: Activations, _ workspace: Workspace, into output: UnsafeMutablePointer<Float>) {
        let processor = workspace.processor
        let (gates, ups) = (workspace.gates.pointer, workspace.ups.pointer)
        processor.multiply(input, by: gate, into: gates)
        processor.multiply(input, by: up, into: ups)
        processor.team.forEach(input.rows) { row in
            let offset = row * gate.rows
            processor.kernels.swiglu(gate: gates + offset, up: ups + offset, count: gate.rows, into: gates + offset)
        }
        let operand = workspace.gateOperand.load(gates, rows: input.rows, columns: gate.rows, processor)
        processor.multiply(operand, by: down, into: output)
    }
}
