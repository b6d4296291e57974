internal import Checkpoint
internal import Kernels

/// The multi-token-prediction layer: from the main model's hidden vector of a position and the token after it, the
/// token after that. Source: DeepSeek-V3 technical report, section 2.2; the order [embedding, hidden] as in the
/// published weights.
package struct PredictionLayer {
    package let layer: DecoderLayer
    private let hiddenSize: Int
    private let embedding: WeightMatrix
    private let embeddingNorm: RMSNorm
    private let hiddenNorm: RMSNorm
    private let join: WeightMatrix
    private let headNorm: RMSNorm
    private let head: WeightMatrix

    /// - Parameters: the main model's embedding and head serve where the checkpoint has no copies of them.
    init(from weights: DenseWeights, embedding mainEmbedding: WeightMatrix, head mainHead: WeightMatrix) throws {
        let checkpoint = weights.checkpoint
        let config = checkpoint.config
        let names = LayerTensorNames(layer: config.layerCount)
        hiddenSize = config.hiddenSize
        func norm(_ name: String) throws -> RMSNorm {
            RMSNorm(gain: try checkpoint.vector(name, count: config.hiddenSize), epsilon: config.normEpsilon)
        }
        func vocabulary(_ name: String, or main: WeightMatrix, _ part: TensorSpec.Part) throws -> WeightMatrix {
            guard checkpoint.contains(name) else { return main }
            return try weights.matrix(name, rows: config.vocabularySize, columns: config.hiddenSize, part)
        }
        layer = try DecoderLayer(from: weights, layer: config.layerCount)
        embedding = try vocabulary(names.mtpEmbedding, or: mainEmbedding, .embedding)
        embeddingNorm = try norm(names.mtpEmbeddingNorm)
        hiddenNorm = try norm(names.mtpHiddenNorm)
        join = try weights.matrix(names.mtpJoin, rows: hiddenSize, columns: 2 * hiddenSize, .join)
        headNorm = try norm(names.mtpFinalNorm)
        head = try vocabulary(names.mtpHead, or: mainHead, .head)
    }

    /// workspace.residual [rows, hidden] = join([norm(embedding of the token), norm(hidden)]).
    func embed(_ batch: Batch, hidden: UnsafePointer<Float>, _ workspace: Workspace) {
        let processor = workspace.processor
        let rows = batch.rowCount
        let pairs = AlignedBuffer<Float>(count: rows * 2 * hiddenSize)
        for (index, row) in batch.rows.enumerated() {
            let pair = pairs.pointer + index * 2 * hiddenSize
            processor.kernels.widenRow(embedding, row: row.token, into: pair)
            embeddingNorm.apply(pair, into: pair, processor)
            hiddenNorm.apply(hidden + index * hiddenSize, into: pair + hiddenSize, processor)
        }
        let operand = Operand(rows: rows, columns: 2 * hiddenSize, compute: processor.compute)
        withExtendedLifetime((pairs, operand)) {
            processor.multiply(
                operand.load(
                    pairs.pointer, rows: rows, columns: 2 * hiddenSize, for: join.inputForms, processor),
                by: join, into: workspace.residual.pointer)
        }
    }

    /// logits [vocabulary] of one row of a finished pass.
    package func logits(row: Int, _ workspace: Workspace, into logits: UnsafeMutablePointer<Float>) {
        let normed = workspace.normed.pointer + row * hiddenSize
        headNorm.apply(workspace.residual.pointer + row * hiddenSize, into: normed, workspace.processor)
        let operand = workspace.hiddenOperand.load(
            normed, rows: 1, columns: hiddenSize, for: head.inputForms, workspace.processor)
        workspace.processor.multiply(operand, by: head, into: logits)
    }
}
