/// One worker as the coordinator knows it.
package struct Member: Sendable, Hashable {
    package enum State: String, Sendable, Hashable, CaseIterable {
        /// Let in; its first slots are on the way.
        case joining
        case ready
        /// Gives its slots away and gets none.
        case draining
        /// Drained and gone.
        case left
        case lost
    }

    /// What a worker brings.
    package struct Offer: Sendable, Hashable {
        /// Slots that its memory holds.
        package var slots: Int
        /// Whether it can read the checkpoint.
        package var readsCheckpoint: Bool

        package init(slots: Int, readsCheckpoint: Bool = true) {
            self.slots = slots
            self.readsCheckpoint = readsCheckpoint
        }
    }

    package internal(set) var name: String
    /// The worker's number in placements. A worker that comes back under its name keeps it.
    package let index: Int
    package internal(set) var stage: Int
    package internal(set) var state: State
    package internal(set) var offer: Offer

    package init(name: String, index: Int, stage: Int, state: State, offer: Offer) {
        self.name = name
        self.index = index
        self.stage = stage
        self.state = state
        self.offer = offer
    }

    /// Whether it is connected.
    package var isPresent: Bool { state != .left && state != .lost }
}
