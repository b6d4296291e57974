/// What an operator asks of a running cluster.
package enum ClusterCommand: Sendable, Hashable {
    case rebalance
    /// Empty a worker and let it leave.
    case drain(name: String)
    /// Do without a worker at once.
    case remove(name: String)
}

/// The answer to a command, at once; how it goes on stands in the status.
package enum ClusterReply: Sendable, Hashable {
    /// It is under way or waits for its turn.
    case accepted
    /// The same was asked for before and is not done yet.
    case underWay(RebalanceStatus)
    /// It cannot be: what, and the mend.
    case refused(MembershipError)
}

/// A running cluster, for those who are not its thread: the admin API and the metrics. For any thread.
package protocol ClusterControl: Sendable {
    /// As of some hundred milliseconds ago at most while the engine steps quickly, else as of the last step.
    var status: ClusterStatus { get }

    /// The load statistics as of the last fold.
    var statistics: LoadStatistics { get }

    /// Who holds what now, by worker index as in `status.workers`.
    var placement: Placement { get }

    /// Asks; the answer comes within a step, and `status` shows what the command led to from then on.
    func perform(_ command: ClusterCommand) async -> ClusterReply
}
