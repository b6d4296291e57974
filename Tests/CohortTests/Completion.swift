import Foundation
import TestSupport

/// What `generate --json` prints.
struct Completion: Decodable {
    let promptIDs: [Int]
    let ids: [Int]
    let text: String
    let finishReason: String
    let steps: [Step]
    let routing: [LayerRouting]?

    struct Step: Decodable {
        let id: Int
        let logprob: Double
    }

    struct LayerRouting: Decodable {
        let layer: Int
        let experts: [[Int]]
        let weights: [[Float]]
    }

    enum CodingKeys: String, CodingKey {
        case promptIDs = "prompt_ids"
        case finishReason = "finish_reason"
        case ids, text, steps, routing
    }

    init(_ outcome: Outcome) throws {
        guard outcome.status == 0 else { throw NotInTime(description: outcome.description) }
        self = try JSONDecoder().decode(Completion.self, from: outcome.output)
    }

    /// The same with the file of `--dump-logits`, for the judge.
    func candidate(logits path: String, vocabularySize: Int) throws -> Candidate {
        let tensors = try TensorFile(path: path)
        return Candidate(
            ids: ids, logits: tensors["logits"] ?? [], vocabularySize: vocabularySize,
            predictionLogits: tensors["mtp_logits"] ?? [],
            routing: (routing ?? []).map { .init(layer: $0.layer, experts: $0.experts) })
    }
}

extension [Int] {
    /// As `--prompt-ids` takes them.
    var list: String { map(String.init).joined(separator: ",") }
}
