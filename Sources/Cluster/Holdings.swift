/// Who holds which slots, in a form that changes and may have gaps: what policies work on, and what stands between two
/// placements.
package struct Holdings: Hashable, Sendable {
    /// The MoE layers, ascending.
    package let layers: [Int]
    package let expertCount: Int
    package let tensor: Int
    /// [layers x experts x tensor] workers, the preferred one first; empty where nobody holds the slot.
    private var holders: [[Int]]
    /// By worker.
    private var counts: [Int]
    /// Slots that nobody holds.
    package private(set) var missingCount: Int

    package init(layers: [Int], experts: Int, tensor: Int) {
        self.layers = layers
        expertCount = experts
        self.tensor = tensor
        holders = Array(repeating: [], count: layers.count * experts * tensor)
        missingCount = holders.count
        counts = []
    }

    package init(_ placement: Placement) {
        self.init(
            layers: placement.layers, experts: placement.expertCount, tensor: placement.parallelism.tensor)
        for (position, layer) in layers.enumerated() {
            let table = placement.table(layer: layer)
            for row in 0..<table.rowCount {
                for worker in table[row] { add(row: row, position: position, to: Int(worker)) }
            }
        }
    }

    /// Slots of a layer that are to be held by somebody.
    package var rowCount: Int { expertCount * tensor }

    package func holders(of slot: Slot) -> [Int] { holders[index(slot)] }

    /// The holders of row `expert x tensor + rank` of the layer at a position of `layers`.
    func holders(position: Int, row: Int) -> [Int] { holders[position * rowCount + row] }

    package func slotCount(of worker: Int) -> Int { worker < counts.count ? counts[worker] : 0 }

    /// Slots in all, replicas included.
    package var slotCount: Int { counts.reduce(0, +) }

    /// Every slot of a worker in the order of layer, expert, rank.
    package func slots(of worker: Int) -> [Slot] {
        holders.indices.filter { holders[$0].contains(worker) }.map(slot)
    }

    /// The slots that nobody holds, in the order of layer, expert, rank.
    package var missing: [Slot] { holders.indices.filter { holders[$0].isEmpty }.map(slot) }

    package var isWhole: Bool { missingCount == 0 }

    /// Whether a worker holds any slice of an expert; it may not get another one.
    package func holdsExpert(of slot: Slot, worker: Int) -> Bool {
        let first = index(slot) - slot.rank
        return (first..<first + tensor).contains { holders[$0].contains(worker) }
    }

    /// Nothing changes when the worker holds the slot already.
    package mutating func add(_ slot: Slot, to worker: Int) { add(at: index(slot), worker) }

    /// Nothing changes when the worker does not hold the slot.
    package mutating func remove(_ slot: Slot, from worker: Int) { remove(at: index(slot), worker) }

    /// - Returns: what the worker held.
    @discardableResult
    package mutating func removeAll(of worker: Int) -> [Slot] {
        let slots = self.slots(of: worker)
        for slot in slots { remove(slot, from: worker) }
        return slots
    }

    package mutating func apply(_ change: PlacementChange) {
        for fill in change.fills { add(fill.slot, to: fill.worker) }
        for free in change.frees { remove(free.slot, from: free.worker) }
    }

    /// The placement in which these are the holders; an error names a slot that nobody holds.
    package func placement(
        epoch: UInt32, parallelism: Parallelism, stages: [Stage]
    ) throws(PlacementError) -> Placement {
        try Placement(epoch: epoch, parallelism: parallelism, stages: stages, experts: expertCount) {
            holders(of: $0)
        }
    }

    mutating func add(row: Int, position: Int, to worker: Int) { add(at: position * rowCount + row, worker) }

    mutating func remove(row: Int, position: Int, from worker: Int) { remove(at: position * rowCount + row, worker) }

    private mutating func add(at index: Int, _ worker: Int) {
        guard !holders[index].contains(worker) else { return }
        if holders[index].isEmpty { missingCount -= 1 }
        holders[index].append(worker)
        while counts.count <= worker { counts.append(0) }
        counts[worker] += 1
    }

    private mutating func remove(at index: Int, _ worker: Int) {
        guard let place = holders[index].firstIndex(of: worker) else { return }
        holders[index].remove(at: place)
        if holders[index].isEmpty { missingCount += 1 }
        counts[worker] -= 1
        while counts.last == 0 { counts.removeLast() }
    }

    private func index(_ slot: Slot) -> Int {
        guard let position = layers.firstIndex(of: slot.layer) else {
            preconditionFailure("layer \(slot.layer) has no routed experts")
        }
        return position * rowCount + slot.expert * tensor + slot.rank
    }

    private func slot(_ index: Int) -> Slot {
        let (position, row) = index.quotientAndRemainder(dividingBy: rowCount)
        return Slot(layer: layers[position], expert: row / tensor, rank: row % tensor)
    }
}
