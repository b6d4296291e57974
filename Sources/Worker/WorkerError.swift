/// Why a worker ends.
package enum WorkerError: Error, CustomStringConvertible {
    /// The coordinator does not want this worker, or cannot go on.
    case refused(reason: String, status: Int)
    case lostCoordinator(peer: String, reason: String)
    case silentCoordinator(peer: String, waitedFor: String)
    case unexpected(peer: String, what: String)
    case badAssignment(String)

    package var description: String {
        switch self {
        case .refused(let reason, _):
            "the coordinator refuses this worker: \(reason)"
        case .lostCoordinator(let peer, let reason):
            "the coordinator at \(peer) is gone: \(reason); start it again"
        case .silentCoordinator(let peer, let waitedFor):
            "the coordinator at \(peer) sends no \(waitedFor): is it the right address, and does it run?"
        case .unexpected(let peer, let what):
            "the coordinator at \(peer) sent \(what): run the same release on all hosts"
        case .badAssignment(let what):
            "the assignment cannot be carried out: \(what); run the same release and the same checkpoint on all hosts"
        }
    }
}
