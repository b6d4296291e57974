/// Finds the next step that levels a layer: looks at the rows of the busiest workers, for no other step shortens the
/// layer's time.
struct MoveSearch {
    /// [workers] slots that each worker can still take.
    var room: [Int]
    /// [workers] whether each worker may get slots.
    var mayTake: [Bool]
    /// The most slots that the layer may have.
    var maximumSlots: Int

    /// The step with the largest gain per slot, the first one of equals; nil if none gains.
    func best(_ layer: LayerBalance, except rejected: [SlotMove] = []) -> SlotMove? {
        let evictions = cheapestEvictions(layer)
        for busy in busiest(layer) {
            var best: SlotMove?
            for row in rows(layer, of: busy) {
                for worker in mayTake.indices where isTarget(worker, row, layer, busy) {
                    let place = SlotMove.Place(row: row, worker: worker)
                    for move in steps(place, from: busy, layer, evictions) where move.gain > best?.gain ?? 0 {
                        if !rejected.contains(where: move.isSame) { best = move }
                    }
                }
            }
            if let best = best ?? exchange(layer, from: busy, except: rejected) { return best }
        }
        return nil
    }

    /// The redundant slot of one worker, or of any, whose loss costs least.
    struct Eviction {
        var place: SlotMove.Place
        var cost: Double
    }

    /// [workers] each worker's cheapest redundant slot, nil where it has none.
    func cheapestEvictions(_ layer: LayerBalance) -> [Eviction?] {
        var cheapest = [Eviction?](repeating: nil, count: room.count)
        for row in layer.holders.indices where layer.holders[row].count > 1 {
            for worker in layer.holders[row] {
                let cost = layer.change(row: row, removing: worker)
                if cost < cheapest[worker]?.cost ?? .infinity {
                    cheapest[worker] = Eviction(place: SlotMove.Place(row: row, worker: worker), cost: cost)
                }
            }
        }
        return cheapest
    }

    private static let busiestCount = 4

    private func busiest(_ layer: LayerBalance) -> [Int] {
        let order = layer.work.indices.sorted { left, right in
            let (one, other) = (layer.time(left), layer.time(right))
            return one == other ? left < right : one > other
        }
        return Array(order.prefix(Self.busiestCount))
    }

    private func rows(_ layer: LayerBalance, of worker: Int) -> [Int] {
        layer.holders.indices.filter { row in
            guard let place = layer.holders[row].firstIndex(of: worker) else { return false }
            return layer.shares[row][place] > 0
        }
    }

    private func isTarget(_ worker: Int, _ row: Int, _ layer: LayerBalance, _ busy: Int) -> Bool {
        mayTake[worker] && layer.time(worker) < layer.time(busy) && !layer.holdsExpert(row: row, worker: worker)
    }

    /// One more replica; or else one more here and one less elsewhere, and a change of holder.
    private func steps(
        _ place: SlotMove.Place, from busy: Int, _ layer: LayerBalance, _ evictions: [Eviction?]
    ) -> [SlotMove] {
        let adding = -layer.change(row: place.row, adding: place.worker)
        let isFull = room[place.worker] <= 0
        if !isFull, layer.slotCount < maximumSlots { return [SlotMove(fill: place, gain: adding)] }
        var steps: [SlotMove] = []
        var cheapest: Eviction?
        for eviction in isFull ? [evictions[place.worker]] : evictions {
            guard let eviction, eviction.place.row != place.row else { continue }
            if eviction.cost < cheapest?.cost ?? .infinity { cheapest = eviction }
        }
        if let cheapest {
            steps.append(SlotMove(fill: place, eviction: cheapest.place, gain: adding - cheapest.cost))
        }
        if !isFull {
            let moving = -layer.change(row: place.row, adding: place.worker, removing: busy)
            steps.append(SlotMove(fill: place, from: busy, gain: moving))
        }
        return steps
    }

    /// Two rows of a busy and an idle worker change places, each with all its tokens there.
    private func exchange(
        _ layer: LayerBalance, from busy: Int, except rejected: [SlotMove]
    ) -> SlotMove? {
        guard mayTake[busy] else { return nil }
        var best: SlotMove?
        let given = rows(layer, of: busy)
        for worker in mayTake.indices where mayTake[worker] && layer.time(worker) < layer.time(busy) {
            guard room[worker] > 0 || room[busy] > 0 else { continue }
            let taken = layer.holders.indices.filter {
                layer.holders[$0].contains(worker) && !layer.holdsExpert(row: $0, worker: busy)
            }
            for row in given where !layer.holdsExpert(row: row, worker: worker) {
                for other in taken {
                    let gain = gain(layer, row, busy, other, worker) / 2
                    guard gain > best?.gain ?? 0 else { continue }
                    let move = SlotMove(
                        fill: SlotMove.Place(row: row, worker: worker), from: busy,
                        exchange: SlotMove.Place(row: other, worker: busy), gain: gain)
                    if !rejected.contains(where: move.isSame) { best = move }
                }
            }
        }
        return best
    }

    private func gain(_ layer: LayerBalance, _ row: Int, _ busy: Int, _ other: Int, _ worker: Int) -> Double {
        let moved = share(layer, row, busy) - share(layer, other, worker)
        guard moved > 0 else { return 0 }
        let slope = 2 * (layer.time(busy) - layer.time(worker))
        return moved * slope - moved * moved * (1 / layer.speeds[busy] + 1 / layer.speeds[worker])
    }

    private func share(_ layer: LayerBalance, _ row: Int, _ worker: Int) -> Double {
        layer.holders[row].firstIndex(of: worker).map { layer.shares[row][$0] } ?? 0
    }
}
