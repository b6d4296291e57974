package import Checkpoint
package import Experts
package import Kernels

/// All that the coordinator holds of a model: embedding, attention, routers, shared experts, dense layers and head.
package final class DecoderModel {
    package let config: ModelConfig
    private let embedding: WeightMatrix
    private let layers: [DecoderLayer]
    private let norm: RMSNorm
    private let head: WeightMatrix
    private let rotary: Rotary
    /// The multi-token-prediction layer, where the checkpoint has one and it was asked for.
    package let prediction: PredictionLayer?

    /// Maps every weight but the routed experts', or converts it as it is loaded.
    /// - Parameters:
    ///   - predicts: whether to load the MTP layer, where the files hold one.
    ///   - dtype: what matrices are held as; nil: as stored.
    ///   - team: converts.
    /// - Throws: `CheckpointError` when a tensor is missing or has another shape or dtype.
    package init(
        from checkpoint: Checkpoint, predicts: Bool = false, as dtype: HeldDType? = nil,
        team: ThreadTeam = ThreadTeam(threads: 1)
    ) throws {
        let config = checkpoint.config
        self.config = config
        let predicts = predicts && checkpoint.holdsMTP
        let weights = DenseWeights(checkpoint, as: dtype, includesMTP: predicts, team: team)
        try weights.readAhead()
        try weights.readAhead(layer: nil)
        embedding = try checkpoint.matrix(
            TensorName.embedding, rows: config.vocabularySize, columns: config.hiddenSize)
        layers = try (0..<config.layerCount).map { try DecoderLayer(from: weights, layer: $0) }
        norm = RMSNorm(
            gain: try checkpoint.vector(TensorName.finalNorm, count: config.hiddenSize), epsilon: config.normEpsilon)
        head =
            config.tiedEmbeddings
            ? weights.held([embedding], .head, keepsOriginals: true)[0]
            : try weights.matrix(TensorName.head, rows: config.vocabularySize, columns: config.hiddenSize, .head)
        rotary = Rotary(config)
        prediction =
            predicts ? try PredictionLayer(from: weights, embedding: embedding, head: head) : nil
    }

    /// Layers that have a KV cache.
    package var cacheLayerCount: Int { config.layerCount + (prediction == nil ? 0 : 1) }

    /// A pass of `batch` through all layers, its tokens embedded; the caches must have room.
    /// - Parameter observe: called with each mixture layer's routing.
    package func begin(
        _ batch: Batch, _ workspace: Workspace, observe: @escaping (Int, Routing) -> Void = { _, _ in }
    ) -> ForwardPass {
        let processor = workspace.processor
        processor.forEachBlock(of: batch.rowCount, columns: config.hiddenSize) { rows in
            for row in rows {
                processor.kernels.widenRow(
                    embedding, row: batch.rows[row].token, into: workspace.residual.pointer + row * config.hiddenSize)
            }
        }
        return ForwardPass(
            batch: batch, layers: layers[...], rotary: rotary, workspace: workspace,
            before: Prefetches(processor.prefetch(of: head.unowned, inputRows: batch.rowCount))
        ) {
            observe($0.index, $1)
        }
    }

    /// Norms the rows of a finished pass: workspace.normed [rows, hidden].
    package func finish(_ pass: ForwardPass) {
        precondition(pass.isFinished, "the pass has layers left")
        norm.apply(
            pass.workspace.residual.pointer, rows: pass.batch.rowCount, into: pass.workspace.normed.pointer,
            pass.workspace.processor)
    }

    /// logits [rows, vocabulary] of normed hidden vectors [rows, hidden].
    package func logits(
        _ hidden: UnsafePointer<Float>, rows: Int, _ workspace: Workspace, into logits: UnsafeMutablePointer<Float>
    ) {
        let operand = workspace.hiddenOperand.load(
            hidden, rows: rows, columns: config.hiddenSize, for: head.inputForms, workspace.processor)
        workspace.processor.multiply(operand, by: head, into: logits)
    }

    /// A pass of the MTP layer: row i takes token i + 1 and the main model's normed hidden vector of position i.
    /// - Parameter hidden: [rows, hidden], what `finish` left for the same positions.
    package func beginPrediction(
        _ batch: Batch, hidden: UnsafePointer<Float>, _ workspace: Workspace
    ) -> ForwardPass {
        guard let prediction else { preconditionFailure("the MTP layer was not loaded") }
        prediction.embed(batch, hidden: hidden, workspace)
        return ForwardPass(batch: batch, layers: [prediction.layer][...], rotary: rotary, workspace: workspace) {
            _, _ in
        }
    }
}
