/// What a request asked to keep, for the positions of its prompt and its completion without the last token.
package final class GenerationRecord {
    package struct LayerRouting {
        /// [position][slot]
        package let experts: [[Int]]
        /// [position][slot]
        package let weights: [[Float]]
    }

    /// A token of the prompt as the model sees it coming.
    package struct Likelihood: Sendable, Equatable {
        /// Natural, over the whole vocabulary.
        package let logProbability: Double
        /// The token that was likeliest.
        package let likeliest: Int

        package init(logProbability: Double, likeliest: Int) {
            self.logProbability = logProbability
            self.likeliest = likeliest
        }
    }

    package let keeps: GenerationRequest.Keeps
    /// Mixture layers, in order.
    private var layers: [Int] = []
    /// [positions, layers, experts per token]
    private var experts: [Int32] = []
    private var weights: [Float] = []
    private var expertsPerToken = 0
    /// [positions * vocabulary]
    package private(set) var logits: [Float] = []
    /// [prompt positions - 1], from the second token of the prompt on.
    package private(set) var likelihoods: [Likelihood] = []
    /// [vocabulary]; empty when the checkpoint has no MTP layer.
    package internal(set) var predictionLogits: [Float] = []
    /// [prompt positions * hidden]
    private(set) var promptHidden: [Float] = []

    init(_ keeps: GenerationRequest.Keeps) {
        self.keeps = keeps
    }

    /// Takes in what was put down of the sequence's rows of a pass.
    func keepRouting(_ routing: PassRouting, rows: Range<Int>) {
        guard keeps.contains(.routing) else { return }
        (layers, expertsPerToken) = (routing.layers, routing.expertsPerToken)
        for row in rows {
            routing.forEachLayer(row: row) { experts, weights in
                self.experts.append(contentsOf: experts)
                self.weights.append(contentsOf: weights)
            }
        }
    }

    /// By layer.
    package var routing: [Int: LayerRouting] {
        let pairs = layers.enumerated().map { index, layer in
            (layer, LayerRouting(experts: rows(experts, index).map { $0.map(Int.init) }, weights: rows(weights, index)))
        }
        return Dictionary(uniqueKeysWithValues: pairs)
    }

    /// A layer's part of each position.
    private func rows<Value>(_ values: [Value], _ layer: Int) -> [[Value]] {
        stride(from: layer * expertsPerToken, to: values.count, by: layers.count * expertsPerToken).map {
            Array(values[$0..<$0 + expertsPerToken])
        }
    }

    /// Calls `body` with the layers and experts of the last position.
    package func forEachLastExpert(_ body: (_ layer: Int, _ expert: Int) -> Void) {
        for (index, expert) in experts.suffix(layers.count * expertsPerToken).enumerated() {
            body(layers[index / expertsPerToken], Int(expert))
        }
    }

    func keepLogits(_ row: UnsafeBufferPointer<Float>) {
        if keeps.contains(.logits) { logits.append(contentsOf: row) }
    }

    func keepLikelihood(_ likelihood: Likelihood) { likelihoods.append(likelihood) }

    func keepHidden(_ rows: UnsafeBufferPointer<Float>) {
        if keeps.contains(.prediction) { promptHidden.append(contentsOf: rows) }
    }

    /// The kept hidden vectors from an offset of values on.
    func withPromptHidden<Result>(from offset: Int, _ body: (UnsafePointer<Float>) -> Result) -> Result {
        promptHidden.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("no hidden vectors were kept") }
            return body(base + offset)
        }
    }
}
