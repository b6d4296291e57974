internal import Checkpoint
internal import Foundation
internal import Kernels
internal import Logging
internal import Transport
internal import Wire

// From the assignment to a worker that is ready.
extension WorkerService {
    /// Loads what the assignment names, and raises what the coordinator may send.
    func session(
        for assignment: Assignment, _ folder: CheckpointFolder, _ link: any Link
    ) throws -> WorkerSession {
        guard let compute = Compute(rawValue: assignment.compute) else {
            throw WorkerError.badAssignment("the arithmetic \"\(assignment.compute)\" is unknown")
        }
        try check(assignment)
        let sources = try SlotSources(
            checkpoint: try checkpoint(for: assignment, folder), assignment: assignment,
            worker: description(fingerprint: assignment.modelFingerprint), secret: secret, time: time)
        let processor = Processor(threads: options.threads, compute: compute)
        let held = try hold(assignment, of: sources, on: processor.team, link)
        let session = WorkerSession(
            held: held, assignment: assignment, sources: sources, server: server(for: assignment, held, link),
            processor: processor, exchange: exchange, time: time)
        link.maximumPayload = session.maximumPayload
        return session
    }

    /// Says that the worker is ready.
    func announce(_ session: WorkerSession, on link: any Link) throws {
        let report = session.report(residentBytes: ResidentMemory.byteCount)
        try link.send(.ready(report))
        observe(.ready(slots: report.expertSlots, loadedBytes: report.loadedBytes))
    }

    private func check(_ assignment: Assignment) throws {
        guard 1...assignment.model.expertWidth ~= assignment.tensorParallelSize else {
            throw WorkerError.badAssignment(
                "\(assignment.tensorParallelSize) slices of \(assignment.model.expertWidth) columns")
        }
    }

    /// nil when there is none at the coordinator's path, where nobody promised one: other workers have the experts. A
    /// folder without a config is as good as none, such as where nothing is mounted.
    private func checkpoint(for assignment: Assignment, _ folder: CheckpointFolder) throws -> Checkpoint? {
        if options.modelPath == nil, assignment.slots.isEmpty,
            !FileManager.default.fileExists(atPath: assignment.modelPath + "/config.json")
        {
            logger.warning(
                "this host has no checkpoint, and fetches experts from other workers; name its folder with --model",
                metadata: ["path": "\(assignment.modelPath)"])
            return nil
        }
        let (checkpoint, fingerprint) = try folder.open(
            options.modelPath ?? assignment.modelPath, expecting: assignment.modelFingerprint)
        guard fingerprint == assignment.modelFingerprint else {
            throw WorkerError.badAssignment("the checkpoint at \(checkpoint.folder) is not the coordinator's")
        }
        let config = checkpoint.config
        guard assignment.model.isShape(of: config), assignment.rowShape.hiddenSize == config.hiddenSize else {
            throw WorkerError.badAssignment("it is for experts of another shape than \(checkpoint.folder) has")
        }
        return checkpoint
    }

    /// Loads what a worker is to begin with; nothing when the coordinator gives it experts later.
    private func hold(
        _ assignment: Assignment, of sources: SlotSources, on team: ThreadTeam, _ link: any Link
    ) throws -> HeldExperts {
        let ranks = assignment.tensorParallelSize
        var held = HeldExperts(expertCount: assignment.model.expertCount, tensorParallelSize: ranks)
        let slots = try assignment.slots.slots(of: assignment.model, tensorParallelSize: ranks)
        guard let checkpoint = sources.checkpoint, !slots.isEmpty else { return held }
        let loader = ShardLoader(checkpoint: checkpoint, team: team, tensorParallelSize: ranks, as: sources.held)
        let total = try loader.byteCount(of: slots)
        held.add(
            try loader.load(
                slots,
                progress: { loaded in
                    guard !isStopped else { throw Stopped() }
                    try link.send(.progress(LoadProgress(loadedBytes: loaded, totalBytes: total)))
                }))
        return held
    }

    /// Listens on the address at which the coordinator reaches this host. nil where nothing can listen there.
    private func server(for assignment: Assignment, _ held: HeldExperts, _ link: any Link) -> SliceServer? {
        guard let host = (link as? TCPLink)?.localHost else { return nil }
        do {
            return try SliceServer(
                host: host, shard: held.shard, fingerprint: assignment.modelFingerprint, secret: secret, time: time,
                logger: logger)
        } catch {
            logger.warning("other workers cannot fetch experts from here", metadata: ["reason": "\(error)"])
            return nil
        }
    }
}
