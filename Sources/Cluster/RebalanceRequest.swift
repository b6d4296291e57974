/// Why the placement is to change.
package enum RebalanceRequest: Hashable, Sendable {
    /// Level the workers.
    case rebalance
    /// Give a worker that joined its share.
    case admit(Int)
    /// Empty a worker that is to leave.
    case drain(Int)
    /// Give slots that a lost worker held to others.
    case repair

    /// The worker that it is about.
    package var worker: Int? {
        switch self {
        case .admit(let worker), .drain(let worker): worker
        case .rebalance, .repair: nil
        }
    }
}

/// How a request ended.
package enum RebalanceOutcome: Hashable, Sendable {
    case done
    /// There was nothing worth doing.
    case nothing
    /// Done as far as memory allows: nobody has room for these slots.
    case incomplete([Slot])
    /// Nothing was changed, or nothing more after the changes made so far.
    case failed(reason: String)
}

extension RebalanceOutcome: CustomStringConvertible {
    package var description: String {
        switch self {
        case .done: "done"
        case .nothing: "there was nothing to do"
        case .incomplete(let slots): "nobody has room for \(slots.count) slots"
        case .failed(let reason): "failed: \(reason)"
        }
    }
}
