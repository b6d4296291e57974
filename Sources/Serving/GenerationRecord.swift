internal import Experts

/// What a request asked to keep, for the positions of its prompt and its completion without the last token.
package final class GenerationRecord {
    package struct LayerRouting {
        /// [position][slot]
        package fileprivate(set) var experts: [[Int]] = []
        /// [position][slot]
        package fileprivate(set) var weights: [[Float]] = []

        fileprivate mutating func append(_ routing: Routing, rows: Range<Int>) {
            for row in rows {
                let first = row * routing.expertsPerToken
                experts.append((0..<routing.expertsPerToken).map { Int(routing.experts[first + $0]) })
                weights.append((0..<routing.expertsPerToken).map { routing.weights[first + $0] })
            }
        }
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
    /// By layer.
    package private(set) var routing: [Int: LayerRouting] = [:]
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

    func keepRouting(_ routing: Routing, rows: Range<Int>, layer: Int) {
        guard keeps.contains(.routing) else { return }
        self.routing[layer, default: LayerRouting()].append(routing, rows: rows)
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
