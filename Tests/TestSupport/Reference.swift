/// reference.json: what the reference implementation gives for a fixture's prompts.
package struct Reference: Decodable, Sendable {
    package let prompts: [Prompt]

    package struct Prompt: Decodable, Sendable {
        package let name: String
        package let ids: [Int]
        package let text: String?
        package let positions: Positions
        package let greedy: Greedy
        package let routing: [LayerRouting]
        package let mtp: Prediction?
    }

    /// By prompt position.
    package struct Positions: Decodable, Sendable {
        package let probeIDs: [Int]
        package let probeLogits: [[Float]]
        package let argmax: [Int]
        package let margin: [Float]
        package let logitDeviation: Float

        enum CodingKeys: String, CodingKey {
            case probeIDs = "probe_ids"
            case probeLogits = "probe_logits"
            case argmax, margin
            case logitDeviation = "logit_std"
        }
    }

    package struct Greedy: Decodable, Sendable {
        package let ids: [Int]
        package let margin: [Float]
    }

    package struct LayerRouting: Decodable, Sendable {
        package let layer: Int
        /// [position][slot], ascending
        package let experts: [[Int]]
        package let weights: [[Float]]
        package let gap: [Float]
    }

    package struct Prediction: Decodable, Sendable {
        package let argmax: [Int]
    }
}
