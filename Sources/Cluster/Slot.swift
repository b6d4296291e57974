/// A place for one slice of one expert of one layer.
package struct Slot: Hashable, Sendable {
    /// The index of the layer in the model (R1: 3...60).
    package let layer: Int
    package let expert: Int
    /// Which of the `tensor` slices of the expert.
    package let rank: Int

    package init(layer: Int, expert: Int, rank: Int) {
        self.layer = layer
        self.expert = expert
        self.rank = rank
    }
}

extension Slot: Comparable {
    package static func < (left: Slot, right: Slot) -> Bool {
        (left.layer, left.expert, left.rank) < (right.layer, right.expert, right.rank)
    }
}
