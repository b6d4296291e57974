extension PlacementDraft {
    /// Gives every slot that nobody holds a worker, the most used experts first; redundant slots make room where there
    /// is none, and as the last resort a worker gets a second slice of an expert. What finds no place stays missing.
    /// - Parameter target: the one worker that may get slots; nil: all.
    mutating func placeMissing(onlyTo target: Int? = nil) {
        for position in layers.indices {
            let layer = layers[position]
            let missing = layer.holders.indices.filter { layer.holders[$0].isEmpty }
            for row in byLoad(missing, layer) {
                _ = [false, true].contains { doubling in
                    place(row, position: position, onlyTo: target, doubling: doubling)
                        || replace(row, position: position, onlyTo: target, doubling: doubling)
                }
            }
            level(position: position)
        }
    }

    /// Adds replicas of the most used experts, layer by layer in turn, until every layer has its most slots, no worker
    /// has room, or the budget is used up.
    /// - Returns: whether any was added.
    mutating func addRedundant(budget: inout Int) -> Bool {
        var open = Set(layers.indices)
        var added = false
        while !open.isEmpty {
            for position in layers.indices where open.contains(position) {
                guard layers[position].slotCount < maximumSlots, let place = nextReplica(position) else {
                    open.remove(position)
                    continue
                }
                let bytes = byteCount(place, position: position)
                guard bytes <= budget else { return added }
                budget -= bytes
                fill(place, position: position)
                added = true
            }
        }
        return added
    }

    /// Gives one more holder to a row: of the workers with room the one that is done first, after that the lowest.
    mutating func place(_ row: Int, position: Int, onlyTo target: Int? = nil, doubling: Bool = false) -> Bool {
        let worker = leastTime(position) { worker in
            hasRoom(worker, position: position) && isTarget(worker, position, target)
                && canTake(worker, row: row, position: position, doubling: doubling)
        }
        guard let worker else { return false }
        fill(SlotMove.Place(row: row, worker: worker), position: position)
        return true
    }

    /// Puts the row in the place of the redundant slot, of any layer, whose loss costs least.
    private mutating func replace(_ row: Int, position: Int, onlyTo target: Int?, doubling: Bool) -> Bool {
        var best: (eviction: MoveSearch.Eviction, position: Int)?
        for other in layers.indices where crew(other) == crew(position) {
            for (worker, eviction) in search(other, onlyTo: target).cheapestEvictions(layers[other]).enumerated() {
                guard let eviction, eviction.cost < best?.eviction.cost ?? .infinity,
                    isTarget(worker, position, target),
                    canTake(worker, row: row, position: position, doubling: doubling)
                else { continue }
                best = (eviction, other)
            }
        }
        guard let best else { return false }
        free(best.eviction.place, position: best.position)
        fill(SlotMove.Place(row: row, worker: best.eviction.place.worker), position: position)
        return true
    }

    private func isTarget(_ worker: Int, _ position: Int, _ target: Int?) -> Bool {
        target.map { crew(position)[worker].index == $0 } ?? true
    }

    private func leastTime(_ position: Int, where isFit: (Int) -> Bool) -> Int? {
        let layer = layers[position]
        var best: Int?
        for worker in layer.speeds.indices where isFit(worker) {
            if best.map({ layer.time(worker) < layer.time($0) }) ?? true { best = worker }
        }
        return best
    }

    /// The row with the most tokens per holder that some worker can still take.
    private func nextReplica(_ position: Int) -> SlotMove.Place? {
        let layer = layers[position]
        var best: SlotMove.Place?
        var most = (load: -1.0, holders: 0)
        for row in layer.holders.indices where !layer.holders[row].isEmpty {
            let holders = layer.holders[row].count
            let load = layer.loads[row / layer.tensor] / Double(holders)
            guard load > most.load || (load == most.load && holders < most.holders) else { continue }
            let worker = leastTime(position) {
                hasRoom($0, position: position) && canTake($0, row: row, position: position)
            }
            guard let worker else { continue }
            (best, most) = (SlotMove.Place(row: row, worker: worker), (load, holders))
        }
        return best
    }

    /// The most used first, then the lowest.
    func byLoad(_ rows: [Int], _ layer: LayerBalance) -> [Int] {
        rows.sorted { left, right in
            let (one, other) = (layer.loads[left / layer.tensor], layer.loads[right / layer.tensor])
            return one == other ? left < right : one > other
        }
    }
}
