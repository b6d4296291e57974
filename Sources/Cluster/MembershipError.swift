/// Why a worker is not let in, or not let go.
package enum MembershipError: Error, Hashable, Sendable {
    case nameTaken(String)
    case unknown(String, known: [String])
    case notReady(String, Member.State)
    case tooManyWorkers(maximum: Int)
    case noRoom(String, slots: Int)
    case drainFailed(String, reason: String)
    /// The coordinator is about to end.
    case stopping
}

extension MembershipError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .nameTaken(let name):
            "a worker called '\(name)' is connected: give this one another --name, or wait until the other is gone"
        case .unknown(let name, let known):
            "no worker is called '\(name)': known are \(known.joined(separator: ", "))"
        case .notReady(let name, let state):
            "worker '\(name)' is \(state.rawValue): name one that is ready"
        case .tooManyWorkers(let maximum):
            "\(maximum) workers are known, and no more are let in: remove one that will not come back"
        case .noRoom(let name, let slots):
            """
            the other workers have no room for \(slots) slots of '\(name)': add a worker first, or use 'cohort remove' \
            to go without
            """
        case .drainFailed(let name, let reason):
            "worker '\(name)' is not drained (\(reason)): try again"
        case .stopping:
            "the coordinator is stopping: start it again first"
        }
    }
}
