internal import Foundation
internal import Checkpoint
internal import Experts
internal import Kernels
package import Logging
internal import Synchronization
package import Transport
package import Wire

/// One expert worker: joins the coordinator, loads the experts that it is given, and serves them until the coordinator
/// says goodbye or `stop` is called.
package final class WorkerService: Sendable {
    package struct Options: Sendable {
        package var name: String
        package var host: String
        package var port: Int
        /// The worker's own path to the checkpoint; nil: the coordinator's.
        package var modelPath: String?
        /// Bytes that experts may take.
        package var memoryBytes: Int
        package var threads: Int
        /// How long to go on dialling a coordinator that does not answer.
        package var patience: Duration

        package init(
            name: String, host: String, port: Int, modelPath: String?, memoryBytes: Int, threads: Int,
            patience: Duration
        ) {
            self.name = name
            self.host = host
            self.port = port
            self.modelPath = modelPath
            self.memoryBytes = memoryBytes
            self.threads = threads
            self.patience = patience
        }
    }

    /// Stages of a worker's life, for service managers.
    package enum Stage: Sendable, Equatable {
        case connecting
        case loading
        case ready(slots: Int, loadedBytes: Int)
    }

    /// `stop` was called.
    private struct Stopped: Error {}

    private let options: Options
    private let secret: ClusterSecret
    private let exchange: any Exchange
    private let time: any TimeSource
    private let logger: Logger
    private let observe: @Sendable (Stage) -> Void
    private let stopFlag = Atomic(false)

    /// - Parameter exchange: holds nothing else.
    package init(
        _ options: Options, secret: ClusterSecret, exchange: any Exchange, time: any TimeSource, logger: Logger,
        observe: @escaping @Sendable (Stage) -> Void = { _ in }
    ) {
        self.options = options
        self.secret = secret
        self.exchange = exchange
        self.time = time
        self.logger = logger
        self.observe = observe
    }

    /// Joins, loads and serves; returns when the coordinator says goodbye or `stop` is called.
    /// - Throws: `TransportError`, `HandshakeError`, `CheckpointError`, `WorkerError`.
    package func run() throws {
        observe(.connecting)
        let fingerprint = try options.modelPath.map { try Checkpoint(folder: $0).fingerprint }
        guard let link = try dial() else { return }
        exchange.add(link)
        defer {
            link.close(.local("the worker ends"))
            exchange.remove(link)
        }
        try shakeHands(link, fingerprint: fingerprint ?? [])
        guard let assignment = try receiveAssignment(link) else { return }
        observe(.loading)
        do {
            try serve(link, try session(for: assignment, link))
        } catch is Stopped {
            leave(link, .goodbye(Goodbye(reason: "the worker was stopped")))
        } catch let error as TransportError where error.kind == .closed {
            throw WorkerError.lostCoordinator(peer: link.peer, reason: error.what)
        } catch {
            leave(link, .failure(FailureReport(message: "\(error)", status: 1)))
            throw error
        }
    }

    /// Ends `run` soon; for any thread.
    package func stop() {
        stopFlag.store(true, ordering: .releasing)
        exchange.wake()
    }

    package var isStopped: Bool { stopFlag.load(ordering: .acquiring) }

    /// Gives the last message a moment to get out.
    private func leave(_ link: any Link, _ message: ControlMessage) {
        try? link.send(message)
        _ = exchange.wait(until: time.now() + Self.farewell, spin: .zero) { _ in }
    }

    /// Dials until the coordinator answers. nil when stopped meanwhile.
    private func dial() throws -> (any Link)? {
        let deadline = time.now() + options.patience
        var pause = Self.firstPause
        while !isStopped {
            do {
                return try TCPLink.connect(
                    host: options.host, port: options.port, deadline: min(deadline, time.now() + Self.dialLimit),
                    time: time)
            } catch {
                guard time.now() + pause < deadline else { throw error }
                logger.info("coordinator does not answer", metadata: ["reason": "\(error)"])
                _ = exchange.wait(until: time.now() + pause, spin: .zero) { _ in }
                pause = min(pause * 2, Self.longestPause)
            }
        }
        return nil
    }

    private func shakeHands(_ link: any Link, fingerprint: [UInt8]) throws {
        let deadline = time.now() + Self.handshakeLimit
        var handshake = WorkerHandshake(
            secret: secret, worker: description(fingerprint: fingerprint), deadline: deadline)
        try link.send(handshake.hello)
        guard let challenge = try receive(link, until: deadline, waitingFor: "challenge") else { return }
        try link.send(try handshake.receive(challenge, at: time.now()))
        link.maximumPayload = WireLimit.controlPayload
    }

    private func description(fingerprint: [UInt8]) -> WorkerDescription {
        WorkerDescription(
            name: options.name, memoryBytes: options.memoryBytes, coreCount: options.threads,
            kernelSet: KernelSet.available()[0].name, modelPath: options.modelPath ?? "",
            modelFingerprint: fingerprint, processID: Int(getpid()))
    }

    /// nil when stopped, or sent away kindly.
    private func receiveAssignment(_ link: any Link) throws -> Assignment? {
        let message = try receive(link, until: time.now() + Self.handshakeLimit, waitingFor: "assignment")
        switch message {
        case nil, .goodbye: return nil
        case .assignment(let assignment): return assignment
        case .failure(let report): throw WorkerError.refused(reason: report.message, status: report.status)
        case .some(let other): throw WorkerError.unexpected(peer: link.peer, what: "a \(other.kind) message")
        }
    }

    private func session(for assignment: Assignment, _ link: any Link) throws -> WorkerSession {
        guard let compute = Compute(rawValue: assignment.compute) else {
            throw WorkerError.badAssignment("the arithmetic \"\(assignment.compute)\" is unknown")
        }
        try check(assignment)
        let sources = SlotSources(
            checkpoint: try checkpoint(for: assignment), worker: description(fingerprint: []), secret: secret,
            time: time)
        let processor = Processor(threads: options.threads, compute: compute)
        let held = try hold(assignment, of: sources.checkpoint, on: processor.team, link)
        let session = WorkerSession(
            held: held, assignment: assignment, sources: sources, server: server(for: assignment, held, link),
            processor: processor, exchange: exchange, time: time)
        link.maximumPayload = session.maximumPayload
        let report = session.report(residentBytes: ResidentMemory.byteCount)
        try link.send(.ready(report))
        observe(.ready(slots: report.expertSlots, loadedBytes: report.loadedBytes))
        return session
    }

    private func check(_ assignment: Assignment) throws {
        guard 1...assignment.model.expertWidth ~= assignment.tensorParallelSize else {
            throw WorkerError.badAssignment(
                "\(assignment.tensorParallelSize) slices of \(assignment.model.expertWidth) columns")
        }
    }

    /// nil when there is none at the coordinator's path, where nobody promised one: other workers have the experts.
    private func checkpoint(for assignment: Assignment) throws -> Checkpoint? {
        if options.modelPath == nil, assignment.slots.isEmpty,
            !FileManager.default.fileExists(atPath: assignment.modelPath)
        {
            logger.warning(
                "this host has no checkpoint, and fetches experts from other workers; name its folder with --model",
                metadata: ["path": "\(assignment.modelPath)"])
            return nil
        }
        let checkpoint = try Checkpoint(folder: options.modelPath ?? assignment.modelPath)
        guard try checkpoint.fingerprint == assignment.modelFingerprint else {
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
        _ assignment: Assignment, of checkpoint: Checkpoint?, on team: ThreadTeam, _ link: any Link
    ) throws -> HeldExperts {
        let ranks = assignment.tensorParallelSize
        var held = HeldExperts(expertCount: assignment.model.expertCount, tensorParallelSize: ranks)
        let slots = try assignment.slots.slots(of: assignment.model, tensorParallelSize: ranks)
        guard let checkpoint, !slots.isEmpty else { return held }
        let loader = ShardLoader(checkpoint: checkpoint, team: team, tensorParallelSize: ranks)
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

    /// Answers dispatches until the coordinator says goodbye.
    /// - Throws: `Stopped` when `stop` is called.
    private func serve(_ link: any Link, _ session: WorkerSession) throws {
        var end: Result<Void, any Error>?
        let heartbeat = Heartbeat(on: link)
        defer { withExtendedLifetime(heartbeat) {} }
        while end == nil {
            guard !isStopped else { throw Stopped() }
            try session.reportOrders(on: link)
            _ = exchange.wait(until: time.now() + Self.idleLimit, spin: Self.spin) { event in
                guard end == nil else { return }
                do {
                    if try handle(event, session) { end = .success(()) }
                } catch {
                    end = .failure(error)
                }
            }
        }
        try end?.get()
    }

    /// - Returns: whether the coordinator said goodbye.
    private func handle(_ event: ExchangeEvent, _ session: WorkerSession) throws -> Bool {
        switch event {
        case .accepted(let link):
            link.close(.local("a worker takes no connections"))
            return false
        case .closed(let link, let reason):
            throw WorkerError.lostCoordinator(peer: link.peer, reason: reason.description)
        case .frame(let link, let header, let payload):
            guard !header.kind.isTensor else {
                try session.answer(header, payload, on: link)
                return false
            }
            switch try ControlMessage(kind: header.kind, payload: payload) {
            case .goodbye: return true
            case .assignment(let order): try session.fill(order, number: header.flight, on: link)
            case .release(let release): try session.release(release.slots)
            case .failure(let report): throw WorkerError.refused(reason: report.message, status: report.status)
            case let other: throw WorkerError.unexpected(peer: link.peer, what: "a \(other.kind) message")
            }
            return false
        }
    }

    /// One control message. nil when stopped.
    private func receive(_ link: any Link, until deadline: Instant, waitingFor: String) throws -> ControlMessage? {
        var received: Result<ControlMessage, any Error>?
        while received == nil {
            guard !isStopped else { return nil }
            guard time.now() < deadline else {
                throw WorkerError.silentCoordinator(peer: link.peer, waitedFor: waitingFor)
            }
            _ = exchange.wait(until: deadline, spin: .zero) { event in
                switch event {
                case .accepted: break
                case .closed(let link, let reason):
                    received = .failure(WorkerError.lostCoordinator(peer: link.peer, reason: reason.description))
                case .frame(_, let header, let payload):
                    guard received == nil else { return }
                    received = Result { try ControlMessage(kind: header.kind, payload: payload) }
                }
            }
        }
        return try received?.get()
    }

    private static let firstPause = Duration.milliseconds(50)
    private static let longestPause = Duration.seconds(5)
    private static let dialLimit = Duration.seconds(10)
    private static let handshakeLimit = Duration.seconds(20)
    private static let idleLimit = Duration.seconds(60)
    private static let spin = Duration.microseconds(50)
    private static let farewell = Duration.milliseconds(100)
}
