internal import Foundation
internal import Serving

/// What `generate --json` prints: one object, its keys stable.
struct GenerationOutput: Encodable {
    let promptIDs: [Int]
    let ids: [Int]
    let text: String
    let finishReason: String
    let steps: [Step]
    let routing: [LayerRouting]?

    struct Step: Encodable {
        let id: Int
        let logprob: Double
        let top: [Choice]
    }

    /// Stands as [id, log-probability].
    struct Choice: Encodable {
        let id: Int
        let logprob: Double

        func encode(to encoder: any Encoder) throws {
            var pair = encoder.unkeyedContainer()
            try pair.encode(id)
            try pair.encode(logprob)
        }
    }

    struct LayerRouting: Encodable {
        let layer: Int
        let experts: [[Int]]
        let weights: [[Float]]
    }

    enum CodingKeys: String, CodingKey {
        case promptIDs = "prompt_ids"
        case ids, text
        case finishReason = "finish_reason"
        case steps, routing
    }

    init(_ sequence: GenerationSequence, text: String) {
        promptIDs = sequence.request.promptIDs
        ids = sequence.steps.map(\.id)
        self.text = text
        finishReason =
            switch sequence.state {
            case .running, .cancelled, .failed: "error"
            case .finished(let reason): reason.rawValue
            }
        steps = sequence.steps.map { step in
            Step(
                id: step.id, logprob: step.logProbability,
                top: step.top.map { Choice(id: $0.id, logprob: $0.logProbability) })
        }
        routing =
            sequence.request.keeps.contains(.routing)
            ? sequence.record.routing.sorted { $0.key < $1.key }.map {
                LayerRouting(layer: $0.key, experts: $0.value.experts, weights: $0.value.weights)
            } : nil
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
