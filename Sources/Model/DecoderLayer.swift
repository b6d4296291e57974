internal import Checkpoint
internal import Experts
internal import Kernels

/// One pre-norm decoder layer. A mixture layer is left half-way, while its experts' answers are under way.
package final class DecoderLayer {
    private enum FeedForwardKind {
        case dense(FeedForward)
        case mixture(Router, shared: FeedForward?)

        /// What reads the normed rows, but for the router and the experts.
        var inputForms: RowForms {
            switch self {
            case .dense(let dense): dense.inputForms
            case .mixture(_, let shared): shared?.inputForms ?? []
            }
        }

        /// What the threads begin with.
        func prefetches(rows: Int, _ processor: Processor) -> Prefetches {
            switch self {
            case .dense(let dense): dense.prefetches(rows: rows, processor)
            case .mixture(let router, _): router.prefetches(tokens: rows, processor)
            }
        }
    }

    package let index: Int
    private let hiddenSize: Int
    private let attentionNorm: RMSNorm
    private let attention: LatentAttention
    private let feedForwardNorm: RMSNorm
    private let feedForward: FeedForwardKind

    /// - Throws: `CheckpointError` when a tensor is missing or has another shape or dtype.
    init(from weights: DenseWeights, layer: Int) throws {
        let checkpoint = weights.checkpoint
        let config = checkpoint.config
        try weights.readAhead(layer: layer)
        index = layer
        hiddenSize = config.hiddenSize
        let names = LayerTensorNames(layer: layer)
        attentionNorm = RMSNorm(
            gain: try checkpoint.vector(names.inputNorm, count: hiddenSize), epsilon: config.normEpsilon)
        attention = try LatentAttention(from: weights, layer: layer)
        feedForwardNorm = RMSNorm(
            gain: try checkpoint.vector(names.postAttentionNorm, count: hiddenSize), epsilon: config.normEpsilon)
        guard layer >= config.denseLayerCount else {
            feedForward = .dense(
                try FeedForward(from: weights, names.dense, width: config.intermediateSize))
            return
        }
        let width = config.sharedIntermediateSize
        feedForward = .mixture(
            try Router(from: checkpoint, layer: layer),
            shared: width == 0
                ? nil : try FeedForward(from: weights, names.sharedExpert, width: width))
    }

    package var isMixture: Bool {
        if case .mixture = feedForward { true } else { false }
    }

    /// residual += attention(norm(residual)); then the dense feed-forward, or router and dispatch. What a layer's
    /// feed-forward makes is left in `workspace.branch`, for the next layer to add.
    /// - Parameters:
    ///   - adding: whether the layer before has left something there.
    ///   - next: what the threads begin the next layer with.
    /// - Returns: the flight to hand to `finish`; nil for a dense layer, which is done.
    func begin(
        _ batch: Batch, adding: Bool, rotary: Rotary, experts: any RoutedExperts,
        before next: @autoclosure () -> Prefetches?, _ workspace: Workspace
    ) throws -> Flight? {
        let rows = batch.rowCount
        let processor = workspace.processor
        let (residual, normed, branch) = (
            workspace.residual.pointer, workspace.normed.pointer, workspace.branch.pointer
        )
        let operand = workspace.hiddenOperand
        let forms = (attention: attention.inputForms, feedForward: feedForward.inputForms)
        attentionNorm.apply(
            residual, adding: adding ? branch : nil, rows: rows, into: normed, operand, for: forms.attention,
            processor)
        let hidden = operand.loaded(normed, rows: rows, columns: hiddenSize, for: forms.attention)
        attention.forward(
            hidden, batch: batch, rotary: rotary, workspace, before: feedForward.prefetches(rows: rows, processor),
            into: branch)
        feedForwardNorm.apply(
            residual, adding: branch, rows: rows, into: normed, operand, for: forms.feedForward, processor)
        switch feedForward {
        case .dense(let dense):
            dense.loops(
                input(rows, workspace), workspace, before: next(), into: branch
            ).run(on: processor.team)
            return nil
        case .mixture(let router, let shared):
            processor.team.expect(shared?.prefetches(rows: rows, processor))
            router.route(
                normed, tokens: rows, scores: workspace.routerScores.pointer, into: workspace.routing, processor)
            return try experts.dispatch(normed, to: workspace.routing, layer: index)
        }
    }

    /// Computes the shared expert and adds the experts' answers to what it makes.
    /// - Parameter next: what the threads begin the next layer with.
    func finish(
        _ flight: Flight, experts: any RoutedExperts, before next: Prefetches?, _ workspace: Workspace
    ) throws {
        let rows = flight.routing.tokens
        guard case .mixture(_, let shared?) = feedForward else {
            workspace.branch.pointer.update(repeating: 0, count: rows * hiddenSize)
            return try experts.combine(flight, into: workspace.branch.pointer)
        }
        let loops = shared.loops(
            input(rows, workspace), workspace, before: next, into: workspace.branch.pointer)
        try experts.combine(flight, beside: loops, into: workspace.branch.pointer)
    }

    /// What the threads begin the layer with.
    func prefetches(rows: Int, _ processor: Processor) -> Prefetches {
        attention.prefetches(rows: rows, processor)
    }

    /// The normed rows, as the dense feed-forward or the shared expert reads them.
    private func input(_ rows: Int, _ workspace: Workspace) -> Activations {
        workspace.hiddenOperand.loaded(
            workspace.normed.pointer, rows: rows, columns: hiddenSize, for: feedForward.inputForms)
    }
}
