internal import Cluster
internal import Experts

/// The experts that this worker answers for, counted as they come and go: a report needs no walk over thousands of
/// slots.
struct HeldExperts {
    private(set) var shard: ExpertShard
    private(set) var slotCount = 0
    /// Bytes of the weights.
    private(set) var byteCount = 0

    init(expertCount: Int, tensorParallelSize: Int) {
        shard = ExpertShard(expertCount: expertCount, tensorParallelSize: tensorParallelSize, holding: [:])
    }

    /// Weights of a slot that is held already take the place of the old ones.
    mutating func add(_ filled: [FilledSlot]) {
        guard !filled.isEmpty else { return }
        var layers: [Int: [ExpertWeights?]] = [:]
        for entry in filled {
            let slice = slice(entry.slot)
            if layers[entry.slot.layer]?[slice] != nil { continue }
            if shard.holds(slice, layer: entry.slot.layer) {
                note(-1, shard.held(slice, layer: entry.slot.layer))
            }
            layers[entry.slot.layer, default: Array(repeating: nil, count: shard.sliceCount)][slice] = entry.weights
            note(1, entry.weights)
        }
        shard = shard.adding(
            ExpertShard(
                expertCount: shard.expertCount, tensorParallelSize: shard.tensorParallelSize, holding: layers))
    }

    /// - Returns: the weights of those that were held.
    mutating func remove(_ slots: [Slot]) -> [ExpertWeights] {
        var removed: [ExpertWeights] = []
        for (layer, slots) in Dictionary(grouping: Set(slots), by: \.layer) {
            let slices = slots.map(slice).filter { shard.holds($0, layer: layer) }
            removed += slices.map { shard.held($0, layer: layer) }
            shard = shard.removing(slices, layer: layer)
        }
        for weights in removed { note(-1, weights) }
        return removed
    }

    func holds(_ slot: Slot) -> Bool { shard.holds(slice(slot), layer: slot.layer) }

    private func slice(_ slot: Slot) -> Int { slot.expert * shard.tensorParallelSize + slot.rank }

    private mutating func note(_ count: Int, _ weights: ExpertWeights) {
        slotCount += count
        byteCount += count * weights.byteCount
    }
}
