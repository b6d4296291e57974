internal import Cluster
internal import Transport
internal import Wire

/// Which slots are held by whom when workers come and go: takes a lost worker's slots away, gives them to survivors with
/// room, and gives them back when the worker returns. Messages out, events in; no waiting.
struct Repair {
    private(set) var holdings: Holdings
    private let stages: [Stage]
    private let parallelism: Parallelism
    private let sliceBytes: [Int]
    /// Orders that workers have been given and not reported done, by identifier.
    private var pending: [UInt64: Order] = [:]
    private var nextOrder: UInt64 = 1
    /// What survivors hold for others, by worker.
    private var borrowed: [Int: Set<Slot>] = [:]

    /// Slots that a worker is to load.
    struct Order {
        let identifier: UInt64
        let worker: Int
        let slots: [Slot]
    }

    /// - Parameter sliceBytes: [tensor] bytes of a slice of an expert.
    init(_ placement: Placement, sliceBytes: [Int]) {
        holdings = Holdings(placement)
        stages = placement.stages
        parallelism = placement.parallelism
        self.sliceBytes = sliceBytes
    }

    var isWhole: Bool { holdings.isWhole }

    mutating func lose(_ worker: Int) {
        holdings.removeAll(of: worker)
        pending = pending.filter { $1.worker != worker }
        borrowed[worker] = nil
    }

    /// What survivors should load now; empty when nothing is missing, all that is missing is on its way, or nobody has
    /// room.
    mutating func orders(_ roster: Roster) throws(PolicyError) -> [Order] {
        var planned = holdings
        for order in pending.values { for slot in order.slots { planned.add(slot, to: order.worker) } }
        guard !planned.isWhole else { return [] }
        let input = try PolicyInput(
            holdings: planned, stages: stages, workers: capacities(roster),
            loads: .none(layers: planned.layers, experts: planned.expertCount),
            sliceBytes: sliceBytes)
        var fills: [Int: [Slot]] = [:]
        for change in CohortPolicy(redundantExperts: 0).repair(input).changes {
            for fill in change.fills { fills[fill.worker, default: []].append(fill.slot) }
        }
        let orders = fills.sorted { $0.key < $1.key }.enumerated().map { index, fill in
            Order(identifier: nextOrder + UInt64(index), worker: fill.key, slots: fill.value)
        }
        nextOrder += UInt64(orders.count)
        for order in orders { pending[order.identifier] = order }
        return orders
    }

    /// A worker has carried out an order; one that is no longer wanted changes nothing.
    mutating func done(_ identifier: UInt64) {
        guard let order = pending.removeValue(forKey: identifier) else { return }
        for slot in order.slots {
            holdings.add(slot, to: order.worker)
            borrowed[order.worker, default: []].insert(slot)
        }
    }

    /// A worker is back and holds its own slots again.
    /// - Returns: what others held in its stead and should let go, by worker.
    mutating func restore(_ worker: Int, _ slots: [Slot]) -> [Int: [Slot]] {
        var released: [Int: [Slot]] = [:]
        for slot in slots {
            for other in holdings.holders(of: slot) where borrowed[other]?.remove(slot) != nil {
                holdings.remove(slot, from: other)
                released[other, default: []].append(slot)
            }
            holdings.add(slot, to: worker)
        }
        return released
    }

    /// The placement in which the present holders serve.
    func placement(epoch: UInt32) throws(PlacementError) -> Placement {
        try holdings.placement(epoch: epoch, parallelism: parallelism, stages: stages)
    }

    private func capacities(_ roster: Roster) -> [WorkerCapacity] {
        let largest = sliceBytes.max() ?? 1
        return roster.serving.map { worker in
            WorkerCapacity(
                index: worker, stage: stages.firstIndex { $0.workers.contains(worker) } ?? 0,
                slots: roster.members[worker].memoryBytes / max(largest, 1))
        }
    }
}
