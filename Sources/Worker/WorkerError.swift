/// Why a worker cannot go on with its coordinator, or with one of its orders.
package enum WorkerError: Error, CustomStringConvertible {
    /// The coordinator does not want this worker, or cannot go on.
    case refused(reason: String, status: Int)
    case lostCoordinator(peer: String, reason: String)
    case silentCoordinator(peer: String, waitedFor: String)
    case unexpected(peer: String, what: String)
    /// Ends a worker that joins; an order that comes later is answered with it, and the worker serves on.
    case badAssignment(String)
    /// Experts are to be read from a checkpoint that this host does not have; as for `badAssignment`.
    case noCheckpoint(path: String)

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
        case .noCheckpoint(let path):
            "this host has no checkpoint at \(path), and no worker was named to fetch experts from; copy the "
                + "checkpoint there, or name its folder with --model"
        case .badAssignment(let what):
            "the assignment cannot be carried out: \(what); run the same release and the same checkpoint on all hosts"
        }
    }
}
