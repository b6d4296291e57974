extension PlacementDraft {
    /// Places all experts anew: an expert's number of replicas follows its tokens, and the replicas with the most
    /// tokens are dealt first, each to the worker that is done first.
    mutating func deal() throws(PolicyError) {
        let quotas = self.quotas()
        for position in layers.indices {
            var quota = quotas[position]
            let layer = layers[position]
            let rows = layer.holders.count
            let slots = quota.reduce(0, +)
            guard slots >= rows, crew(position).count >= layer.tensor else { throw shortage(position, slots) }
            let counts = replicaCounts(layer, slots: min(slots, maximumSlots), workers: quota.count)
            var work = quota.map { _ in 0.0 }
            for expert in dealingOrder(counts, layer) {
                let part = layer.loads[expert] / Double(counts[expert])
                for slice in 0..<counts[expert] * layer.tensor {
                    let row = expert * layer.tensor + slice % layer.tensor
                    if let worker = deal(row, position: position, quota: &quota, work: work) {
                        work[worker] += part
                    } else if slice < layer.tensor {
                        throw shortage(position, slots)
                    }
                }
            }
            level(position: position)
        }
    }

    /// [layers][workers] slots of each worker in each layer: its memory dealt evenly to the layers of its stage, in
    /// such a way that the layers have as many as each other.
    private func quotas() -> [[Int]] {
        var quotas = layers.map { Array(repeating: 0, count: $0.speeds.count) }
        var first = 0
        for crew in crews {
            let count = layers[first...].prefix { self.crew($0.position) == crew }.count
            var sums = [Int](repeating: 0, count: count)
            for (worker, capacity) in crew.enumerated() {
                let slots = min(capacity.takesSlots ? capacity.slots : 0, layers[first].loads.count * count)
                let poorest = sums.indices.sorted { sums[$0] == sums[$1] ? $0 < $1 : sums[$0] < sums[$1] }
                for (place, layer) in poorest.enumerated() {
                    let quota = slots / count + (place < slots % count ? 1 : 0)
                    quotas[first + layer][worker] = quota
                    sums[layer] += quota
                }
            }
            first += count
        }
        return quotas
    }

    private func shortage(_ position: Int, _ slots: Int) -> PolicyError {
        let stage = crew(position).first?.stage ?? 0
        return .tooFewSlots(stage: stage, needed: layers[position].holders.count, available: slots)
    }

    /// [experts] replicas of each: the next one goes to the expert with the most tokens per replica, then to the one
    /// with fewest replicas, then to the lowest.
    private func replicaCounts(_ layer: LayerBalance, slots: Int, workers: Int) -> [Int] {
        var counts = layer.loads.map { _ in 1 }
        var spare = (slots - layer.holders.count) / layer.tensor
        while spare > 0 {
            var best: Int?
            for expert in counts.indices where (counts[expert] + 1) * layer.tensor <= workers {
                guard let most = best else {
                    best = expert
                    continue
                }
                let one = layer.loads[expert] / Double(counts[expert])
                let other = layer.loads[most] / Double(counts[most])
                if one > other || (one == other && counts[expert] < counts[most]) { best = expert }
            }
            guard let best else { return counts }
            counts[best] += 1
            spare -= 1
        }
        return counts
    }

    private func dealingOrder(_ counts: [Int], _ layer: LayerBalance) -> [Int] {
        counts.indices.sorted { left, right in
            let one = layer.loads[left] / Double(counts[left])
            let other = layer.loads[right] / Double(counts[right])
            return one == other ? left < right : one > other
        }
    }

    /// - Parameter work: [workers] tokens dealt so far, each expert's split evenly over its replicas.
    /// - Returns: the worker that got the row.
    private mutating func deal(_ row: Int, position: Int, quota: inout [Int], work: [Double]) -> Int? {
        let crew = crew(position)
        var soonest: Int?
        for worker in quota.indices where quota[worker] > 0 && canTake(worker, row: row, position: position) {
            let time = work[worker] / crew[worker].speed
            if soonest.map({ time < work[$0] / crew[$0].speed }) ?? true { soonest = worker }
        }
        guard let soonest else { return makePlace(for: row, position: position, quota: &quota) }
        fill(SlotMove.Place(row: row, worker: soonest), position: position)
        quota[soonest] -= 1
        return soonest
    }

    /// Everybody with room has a slice of the expert already: lets one of them take a row of a worker that has none,
    /// and gives that one the row.
    private mutating func makePlace(for row: Int, position: Int, quota: inout [Int]) -> Int? {
        let layer = layers[position]
        for open in quota.indices where quota[open] > 0 && hasRoom(open, position: position) {
            for full in quota.indices where canTake(full, row: row, position: position) {
                let movable = layer.holders.indices.last {
                    layer.holders[$0].contains(full) && canTake(open, row: $0, position: position)
                }
                guard let movable else { continue }
                free(SlotMove.Place(row: movable, worker: full), position: position)
                fill(SlotMove.Place(row: movable, worker: open), position: position)
                quota[open] -= 1
                fill(SlotMove.Place(row: row, worker: full), position: position)
                return full
            }
        }
        return nil
    }
}
