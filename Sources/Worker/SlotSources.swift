internal import Checkpoint
internal import Cluster
internal import Experts
internal import Kernels
internal import Transport
internal import Wire

/// Where a worker gets the experts of one assignment from: its own checkpoint if it can read one, or other workers.
struct SlotSources: Sendable {
    /// nil: this host has none.
    let checkpoint: Checkpoint?
    private let assignment: Assignment
    /// What experts are held as; nil: as stored.
    let held: HeldDType?
    /// Reads in the background, on the one thread that fills; nil without a checkpoint.
    private let loader: ShardLoader?
    private let worker: WorkerDescription
    private let secret: ClusterSecret
    private let time: any TimeSource

    /// - Parameters:
    ///   - assignment: says what the experts look like; its slots do not matter.
    ///   - worker: how this worker presents itself to others.
    init(
        checkpoint: Checkpoint?, assignment: Assignment, worker: WorkerDescription, secret: ClusterSecret,
        time: any TimeSource
    ) throws(WorkerError) {
        let held = try assignment.heldDType()
        self.checkpoint = checkpoint
        self.assignment = assignment
        self.held = held
        self.worker = worker
        self.secret = secret
        self.time = time
        loader = checkpoint.map {
            ShardLoader(
                checkpoint: $0, team: ThreadTeam(threads: 1), tensorParallelSize: assignment.tensorParallelSize,
                as: held)
        }
    }

    /// What carries an order out of which everything is held already.
    static let nothing: SlotFiller.Fill = { _, _ in [] }

    /// What brings slots into memory.
    /// - Parameter source: the worker to fetch them from; nil: the checkpoint.
    func fill(from source: PeerAddress?) throws(WorkerError) -> SlotFiller.Fill {
        if let source {
            let fetcher = SliceFetcher(
                from: source, for: assignment, held: held, as: worker, secret: secret, time: time)
            return { try fetcher.fetch($0, isWanted: $1) }
        }
        guard let loader else { throw .noCheckpoint(path: assignment.modelPath) }
        return { try loader.load($0, isWanted: $1) }
    }

    /// Takes an expert's pages out of this process's memory. Pages of the checkpoint stay in the system's cache as long
    /// as there is room; what was fetched or copied goes with its last reference.
    func letGo(_ expert: ExpertWeights) {
        guard let checkpoint else { return }
        for matrix in [expert.gate, expert.up, expert.down] { checkpoint.adviseDoNotNeed(matrix) }
    }
}
