/// What a policy knows of a worker.
package struct WorkerCapacity: Hashable, Sendable {
    /// The worker's number in the placement.
    package let index: Int
    /// The stage whose layers it serves.
    package let stage: Int
    /// The slots that its memory holds, over all layers of its stage.
    package var slots: Int
    /// Tokens per second, in any unit that all workers share.
    package var speed: Double
    /// Whether it can fill a slot from its own copy of the checkpoint.
    package var readsCheckpoint: Bool
    /// False: it keeps what it holds, and gets nothing.
    package var takesSlots: Bool

    package init(
        index: Int, stage: Int = 0, slots: Int, speed: Double = 1, readsCheckpoint: Bool = true,
        takesSlots: Bool = true
    ) {
        self.index = index
        self.stage = stage
        self.slots = slots
        self.speed = speed
        self.readsCheckpoint = readsCheckpoint
        self.takesSlots = takesSlots
    }

    /// Slots that so much memory holds, whichever slices they are of.
    /// - Parameter sliceBytes: [tensor] bytes of a slice of an expert.
    package static func slots(memoryBytes: Int, sliceBytes: [Int]) -> Int {
        memoryBytes / max(1, sliceBytes.max() ?? 1)
    }
}
