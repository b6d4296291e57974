/// What an implementation gives for one prompt: the prompt's and the completion's positions but the last.
package struct Candidate: Sendable {
    package struct LayerRouting: Sendable {
        package let layer: Int
        package let experts: [[Int]]

        package init(layer: Int, experts: [[Int]]) {
            self.layer = layer
            self.experts = experts
        }
    }

    package let ids: [Int]
    /// [positions * vocabulary]
    package let logits: [Float]
    package let vocabularySize: Int
    /// [vocabulary]; empty without an MTP layer.
    package let predictionLogits: [Float]
    package let routing: [LayerRouting]

    package init(
        ids: [Int], logits: [Float], vocabularySize: Int, predictionLogits: [Float], routing: [LayerRouting]
    ) {
        self.ids = ids
        self.logits = logits
        self.vocabularySize = vocabularySize
        self.predictionLogits = predictionLogits
        self.routing = routing
    }

    func logits(at position: Int) -> ArraySlice<Float> {
        logits[position * vocabularySize..<(position + 1) * vocabularySize]
    }
}
