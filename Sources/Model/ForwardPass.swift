package import Experts
internal import Kernels

/// One batch on its way through the layers. It stops wherever experts are under way, so that a pipeline can move
/// several batches by turns: each `advance` runs to the next dispatch, or to the end.
package final class ForwardPass {
    private enum State {
        case ready(layer: Int)
        case inFlight(layer: Int, Flight)
        case finished
    }

    package let batch: Batch
    package let workspace: Workspace
    private let layers: ArraySlice<DecoderLayer>
    private let rotary: Rotary
    private var state: State
    /// What the threads begin with after the last layer.
    private let following: Prefetches?
    private let observe: (DecoderLayer, Routing) -> Void

    /// - Parameters:
    ///   - workspace: its residual holds the input of the first layer, [rows, hidden].
    ///   - next: what the threads begin with after the last layer.
    ///   - observe: called with each mixture layer's routing, before the experts answer.
    init(
        batch: Batch, layers: ArraySlice<DecoderLayer>, rotary: Rotary, workspace: Workspace,
        before next: Prefetches? = nil,
        observe: @escaping (DecoderLayer, Routing) -> Void
    ) {
        precondition(batch.rowCount <= workspace.maximumRows, "the batch is larger than the workspace")
        self.batch = batch
        self.layers = layers
        self.rotary = rotary
        self.workspace = workspace
        following = next
        self.observe = observe
        state = layers.isEmpty ? .finished : .ready(layer: layers.startIndex)
    }

    package var isFinished: Bool {
        if case .finished = state { true } else { false }
    }

    /// The layer whose experts are under way; nil before the first and after the last.
    package var layerInFlight: Int? {
        if case .inFlight(let position, _) = state { layers[position].index } else { nil }
    }

    /// Takes in the answers that are under way, if any, and runs to the next dispatch or to the end.
    /// - Throws: what the experts throw; the pass cannot go on afterwards.
    package func advance(_ experts: any RoutedExperts) throws {
        while true {
            switch state {
            case .finished:
                return
            case .inFlight(let layer, let flight):
                try layers[layer].finish(flight, experts: experts, before: next(after: layer), workspace)
                move(past: layer)
            case .ready(let layer):
                guard let flight = try begin(layer, experts) else {
                    move(past: layer)
                    continue
                }
                state = .inFlight(layer: layer, flight)
                return
            }
        }
    }

    private func begin(_ layer: Int, _ experts: any RoutedExperts) throws -> Flight? {
        let flight = try layers[layer].begin(
            batch, adding: layer > layers.startIndex, rotary: rotary, experts: experts,
            before: next(after: layer), workspace)
        if flight != nil { observe(layers[layer], workspace.routing) }
        return flight
    }

    /// What the threads begin the next layer with.
    private func next(after layer: Int) -> Prefetches? {
        guard layer + 1 < layers.endIndex else { return following }
        return layers[layer + 1].prefetches(rows: batch.rowCount, workspace.processor)
    }

    private func move(past layer: Int) {
        guard layer + 1 == layers.endIndex else {
            state = .ready(layer: layer + 1)
            return
        }
        workspace.addBranch(rows: batch.rowCount)
        state = .finished
    }
}
