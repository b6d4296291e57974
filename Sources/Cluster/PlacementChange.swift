/// The difference between two placements: slots to fill, then, after the switch, slots to free.
package struct PlacementChange: Hashable, Sendable {
    /// Where a slot's weights come from.
    package enum Source: Hashable, Sendable {
        /// The target reads its own copy of the checkpoint.
        case checkpoint
        /// A worker that holds the slot sends it.
        case worker(Int)
    }

    package struct Fill: Hashable, Sendable {
        package let slot: Slot
        package let worker: Int
        package let source: Source
        package let byteCount: Int

        package init(slot: Slot, worker: Int, source: Source, byteCount: Int) {
            self.slot = slot
            self.worker = worker
            self.source = source
            self.byteCount = byteCount
        }
    }

    package struct Free: Hashable, Sendable {
        package let slot: Slot
        package let worker: Int

        package init(slot: Slot, worker: Int) {
            self.slot = slot
            self.worker = worker
        }
    }

    /// The most valuable ones first.
    package var fills: [Fill]
    package var frees: [Free]

    package init(fills: [Fill] = [], frees: [Free] = []) {
        self.fills = fills
        self.frees = frees
    }

    package var isEmpty: Bool { fills.isEmpty && frees.isEmpty }

    package var byteCount: Int { fills.reduce(0) { $0 + $1.byteCount } }
}
