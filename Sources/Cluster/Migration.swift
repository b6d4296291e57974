/// A fill that a worker was told of.
struct ActiveFill: Sendable, Equatable {
    let fill: PlacementChange.Fill
    /// When it is given up.
    let deadline: Duration
}

/// A request's changes on the way.
package struct Migration: Sendable, Equatable {
    package let request: RebalanceRequest
    /// There is nothing to change.
    let isEmpty: Bool
    /// Nobody has room for these.
    let unplaced: [Slot]
    /// The change under way, and the ones after it.
    private(set) var change: PlacementChange
    private var later: ArraySlice<PlacementChange>
    /// Fills of the change that are not started, in order.
    var waiting: [PlacementChange.Fill]
    /// Fills under way, by number.
    var active: [Int: ActiveFill] = [:]
    /// Fills of the change that are done.
    var done: [PlacementChange.Fill] = []
    /// From where slots could not be had, by who was to get them.
    private var failed: [PlacementChange.Free: Set<PlacementChange.Source>] = [:]
    package let totalBytes: Int
    package private(set) var doneBytes = 0

    init(_ request: RebalanceRequest, _ plan: Rearrangement) {
        let first = plan.changes.first ?? PlacementChange()
        isEmpty = plan.isEmpty
        self.request = request
        unplaced = plan.unplaced
        change = first
        later = plan.changes.dropFirst()
        waiting = first.fills
        totalBytes = plan.byteCount
    }

    var isFilled: Bool { waiting.isEmpty && active.isEmpty }

    func activeCount(of worker: Int) -> Int { active.values.count { $0.fill.worker == worker } }

    mutating func noteDone(_ fill: PlacementChange.Fill) {
        done.append(fill)
        doneBytes += fill.byteCount
    }

    /// The fill again, after it failed, from where it has not been tried: the worker's checkpoint, then those that hold
    /// the slot. nil: all were.
    mutating func alternative(to fill: PlacementChange.Fill, holders: [Int]) -> PlacementChange.Fill? {
        let place = PlacementChange.Free(slot: fill.slot, worker: fill.worker)
        failed[place, default: []].insert(fill.source)
        let sources = [PlacementChange.Source.checkpoint] + holders.map { .worker($0) }
        guard let next = sources.first(where: { !failed[place, default: []].contains($0) }) else { return nil }
        return PlacementChange.Fill(
            slot: fill.slot, worker: fill.worker, source: next, byteCount: fill.byteCount)
    }

    /// Goes on to the next change.
    /// - Returns: whether there is one.
    mutating func advance() -> Bool {
        guard let next = later.popFirst() else { return false }
        change = next
        waiting = next.fills
        done = []
        return true
    }
}
