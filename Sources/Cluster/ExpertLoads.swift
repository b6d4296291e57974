/// How many tokens chose each expert: what a placement policy levels.
package struct ExpertLoads: Sendable, Equatable {
    /// The MoE layers, ascending.
    package let layers: [Int]
    package let expertCount: Int
    /// [layers x experts], not negative, in any unit.
    package let tokens: [Double]

    package init(layers: [Int], experts: Int, tokens: [Double]) {
        precondition(tokens.count == layers.count * experts, "one load for each expert of each layer")
        self.layers = layers
        expertCount = experts
        self.tokens = tokens
    }

    /// No load is known.
    package static func none(layers: [Int], experts: Int) -> ExpertLoads {
        ExpertLoads(layers: layers, experts: experts, tokens: Array(repeating: 0, count: layers.count * experts))
    }

    package var isEmpty: Bool { tokens.allSatisfy { $0 == 0 } }

    /// [experts] of the layer at a position of `layers`. A layer without load counts as one in which all experts are
    /// chosen alike, so that every layer can be placed.
    package func weights(position: Int) -> [Double] {
        let part = tokens[position * expertCount..<(position + 1) * expertCount]
        return part.contains { $0 > 0 } ? Array(part) : Array(repeating: 1, count: expertCount)
    }
}
