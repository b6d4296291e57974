internal import Checkpoint
internal import Experts
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

    /// output [rows, hidden] = down(silu(gate(input)) * up(input)), as loops. They are valid as long as this and the
    /// workspace, whose inner rows they write.
    /// - Parameter next: what the threads begin with after them.
    func loops(
        _ input: Activations, _ workspace: Workspace, before next: Prefetches?,
        into output: UnsafeMutablePointer<Float>
    ) -> any FeedForwardLoops {
        Loops(
            gate: gate.unowned, up: up.unowned, down: down.unowned, input: input, workspace: workspace,
            output: output, next: next)
    }

    /// What the threads begin with.
    func prefetches(rows: Int, _ processor: Processor) -> Prefetches {
        Prefetches(
            processor.prefetch(of: gate.unowned, inputRows: rows),
            then: processor.prefetch(of: up.unowned, inputRows: rows))
    }
}

/// The blocks of the matrices' rows.
private struct Loops: FeedForwardLoops {
    let gate: UnownedMatrix
    let up: UnownedMatrix
    let down: UnownedMatrix
    let input: Activations
    let workspace: Workspace
    let output: UnsafeMutablePointer<Float>
    let next: Prefetches?

    func prefetches(after loop: FeedForwardLoop) -> Prefetches? {
        switch loop {
        case .gateAndUp, .encode: Prefetches(workspace.processor.prefetch(of: down, inputRows: input.rows))
        case .down: next
        }
    }

    func count(of loop: FeedForwardLoop) -> Int {
        switch loop {
        case .gateAndUp: blocks(of: gate).count
        case .encode: workspace.gateOperand.takesCodes(for: down.inputForms) ? input.rows : 0
        case .down: blocks(of: down).count
        }
    }

    func run(_ items: Range<Int>, of loop: FeedForwardLoop) {
        switch loop {
        case .gateAndUp:
            Processor.forEachCached(of: blocks(of: gate)[items], inputRows: input.rows) { gateAndUp($0) }
        case .encode:
            for row in items {
                workspace.gateOperand.take(
                    row: row, workspace.gates.pointer + row * gate.rows, columns: gate.rows, for: .int8, kernels)
            }
        case .down:
            let rows = blocks(of: down)[items]
            kernels.product(down, rows: rows, innerRows, into: output + rows.lowerBound, stride: down.rows)
        }
    }

    private func gateAndUp(_ rows: Range<Int>) {
        let (gates, ups) = (workspace.gates.pointer + rows.lowerBound, workspace.ups.pointer + rows.lowerBound)
        kernels.product(gate, rows: rows, input, into: gates, stride: gate.rows)
        kernels.product(up, rows: rows, input, into: ups, stride: gate.rows)
        for row in 0..<input.rows {
            let offset = row * gate.rows
            let values = gates + offset
            kernels.swiglu(gate: values, up: ups + offset, count: rows.count, into: values)
            workspace.gateOperand.take(
                values, count: rows.count, at: offset + rows.lowerBound, for: down.inputForms, kernels)
        }
    }

    private var innerRows: Activations {
        workspace.gateOperand.loaded(
            workspace.gates.pointer, rows: input.rows, columns: gate.rows, for: down.inputForms)
    }

    private func blocks(of matrix: UnownedMatrix) -> RowBlocks {
        workspace.processor.blocks(of: matrix, inputRows: input.rows)
    }

    private var kernels: KernelSet { workspace.processor.kernels }
}
