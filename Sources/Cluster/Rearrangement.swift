/// Changes to make one after the other, each with a switch of its own, so that no worker ever holds more than its
/// memory allows: what must go to make room goes a change earlier.
package struct Rearrangement: Sendable, Equatable {
    package let changes: [PlacementChange]
    package let before: Balance
    package let after: Balance
    /// Slots that no worker has room for.
    package let unplaced: [Slot]

    package var isEmpty: Bool { changes.isEmpty }

    package var byteCount: Int { changes.reduce(0) { $0 + $1.byteCount } }

    /// The share of the slowest workers' time that the changes save.
    package var gain: Double { before.peak > 0 ? 1 - after.peak / before.peak : 0 }

    static func nothing(_ balance: Balance, unplaced: [Slot] = []) -> Rearrangement {
        Rearrangement(changes: [], before: balance, after: balance, unplaced: unplaced)
    }

    init(changes: [PlacementChange], before: Balance, after: Balance, unplaced: [Slot]) {
        self.changes = changes
        self.before = before
        self.after = after
        self.unplaced = unplaced
    }

    /// Cuts the way from what is held to `target` into changes. Fills for which no room can be made in any order are
    /// left out, and what they would have replaced stays.
    /// - Parameter order: the slots to fill, the most valuable first.
    init(input: PolicyInput, target: Holdings, order: [PlacementChange.Free]) {
        var seen = Set<PlacementChange.Free>()
        var fills = order.compactMap { place -> PlacementChange.Fill? in
            let (slot, worker) = (place.slot, place.worker)
            let isNew = seen.insert(place).inserted && !input.holdings.holders(of: slot).contains(worker)
            return isNew && target.holders(of: slot).contains(worker)
                ? Self.fill(slot, worker, input: input, target: target) : nil
        }
        var frees = Self.frees(from: input.holdings, to: target)
        var current = input.holdings
        var changes: [PlacementChange] = []
        let slots = Dictionary(uniqueKeysWithValues: input.workers.map { ($0.index, $0.slots) })
        while true {
            let change = Self.next(current, slots: slots, fills: &fills, frees: &frees)
            if change.isEmpty { break }
            current.apply(change)
            changes.append(change)
        }
        var final = input
        final.holdings = current
        self.init(
            changes: changes, before: Balance(input), after: Balance(final), unplaced: current.missing)
    }

    /// Takes out of `fills` what there is room for now, and out of `frees` what can go when that is there.
    private static func next(
        _ current: Holdings, slots: [Int: Int], fills: inout [PlacementChange.Fill],
        frees: inout [PlacementChange.Free]
    ) -> PlacementChange {
        var change = PlacementChange()
        var after = current
        var taken: [Int: Int] = [:]
        fills = fills.filter { fill in
            let held = current.slotCount(of: fill.worker) + taken[fill.worker, default: 0]
            guard held < slots[fill.worker] ?? 0 else { return true }
            taken[fill.worker, default: 0] += 1
            after.add(fill.slot, to: fill.worker)
            change.fills.append(fill)
            return false
        }
        let awaited = Set(fills.map(\.slot))
        frees = frees.filter { free in
            guard !awaited.contains(free.slot), after.holders(of: free.slot).count > 1 else { return true }
            after.remove(free.slot, from: free.worker)
            change.frees.append(free)
            return false
        }
        return change
    }

    private static func fill(
        _ slot: Slot, _ worker: Int, input: PolicyInput, target: Holdings
    ) -> PlacementChange.Fill {
        let reads = input.workers.first { $0.index == worker }?.readsCheckpoint ?? true
        let holders = input.holdings.holders(of: slot)
        let sender = holders.first { target.holders(of: slot).contains($0) } ?? holders.first
        let source = reads ? nil : sender.map(PlacementChange.Source.worker)
        return PlacementChange.Fill(
            slot: slot, worker: worker, source: source ?? .checkpoint, byteCount: input.sliceBytes[slot.rank])
    }

    private static func frees(from present: Holdings, to target: Holdings) -> [PlacementChange.Free] {
        var frees: [PlacementChange.Free] = []
        for (position, layer) in present.layers.enumerated() {
            for row in 0..<present.rowCount {
                let kept = target.holders(position: position, row: row)
                for worker in present.holders(position: position, row: row) where !kept.contains(worker) {
                    let slot = Slot(layer: layer, expert: row / present.tensor, rank: row % present.tensor)
                    frees.append(PlacementChange.Free(slot: slot, worker: worker))
                }
            }
        }
        return frees
    }
}
