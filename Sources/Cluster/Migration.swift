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
    var active: [Int: PlacementChange.Fill] = [:]
    /// Fills of the change that are done.
    var done: [PlacementChange.Fill] = []
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

    func activeCount(of worker: Int) -> Int { active.values.count { $0.worker == worker } }

    mutating func noteDone(_ fill: PlacementChange.Fill) {
        done.append(fill)
        doneBytes += fill.byteCount
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
