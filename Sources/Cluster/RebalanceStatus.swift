/// Where the placement's change stands, for people.
package struct RebalanceStatus: Sendable, Hashable {
    /// "idle", "planning", "filling", "switching", "draining" or "failed".
    package let phase: String
    /// The request under way, or the one that failed.
    package let request: RebalanceRequest?
    package let reason: String?
    package let doneBytes: Int
    package let totalBytes: Int
    package let queue: [RebalanceRequest]
    package let epoch: UInt32
    /// Slots that nobody holds.
    package let missingCount: Int

    init(_ rebalance: Rebalance) {
        queue = rebalance.queue
        epoch = rebalance.epoch
        missingCount = rebalance.holdings.missingCount
        var reason: String?
        var migration: Migration?
        switch rebalance.phase {
        case .idle: (phase, request) = ("idle", nil)
        case .planning(let asked): (phase, request) = ("planning", asked)
        case .filling(let current): (phase, request, migration) = ("filling", current.request, current)
        case .switching(let current): (phase, request, migration) = ("switching", current.request, current)
        case .draining(let current): (phase, request, migration) = ("draining", current.request, current)
        case .failed(let asked, let why): (phase, request, reason) = ("failed", asked, why)
        }
        self.reason = reason
        doneBytes = migration?.doneBytes ?? 0
        totalBytes = migration?.totalBytes ?? 0
    }
}
