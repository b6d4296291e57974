internal import Checkpoint
internal import Cluster
internal import Experts
internal import Kernels
internal import Transport
internal import Wire

/// Where a worker gets experts from: its own checkpoint if it can read one, or other workers.
struct SlotSources: Sendable {
    /// nil: this host has none.
    let checkpoint: Checkpoint?
    private let worker: WorkerDescription
    private let secret: ClusterSecret
    private let time: any TimeSource

    /// - Parameter worker: how this worker presents itself to others.
    init(
        checkpoint: Checkpoint?, worker: WorkerDescription, secret: ClusterSecret, time: any TimeSource
    ) {
        self.checkpoint = checkpoint
        self.worker = worker
        self.secret = secret
        self.time = time
    }

    /// What carries an order out.
    /// - Parameter slots: those of the order that are not held yet.
    func fill(for order: Assignment, _ slots: [Slot]) throws(WorkerError) -> SlotFiller.Fill {
        guard !slots.isEmpty else { return { _, _ in [] } }
        let held = try order.heldDType()
        if let source = order.source {
            var worker = worker
            worker.modelFingerprint = order.modelFingerprint
            let fetcher = SliceFetcher(
                from: source, order: order, held: held, as: worker, secret: secret, time: time)
            return { try fetcher.fetch($0, isWanted: $1) }
        }
        guard let checkpoint else { throw .noCheckpoint(path: order.modelPath) }
        let loader = ShardLoader(
            checkpoint: checkpoint, team: ThreadTeam(threads: 1), tensorParallelSize: order.tensorParallelSize,
            as: held)
        return { try loader.load($0, isWanted: $1) }
    }

    /// Takes an expert's pages out of this process's memory. Pages of the checkpoint stay in the system's cache as long
    /// as there is room; what was fetched or copied goes with its last reference.
    func letGo(_ expert: ExpertWeights) {
        guard let checkpoint else { return }
        for matrix in [expert.gate, expert.up, expert.down] { checkpoint.adviseDoNotNeed(matrix) }
    }
}
