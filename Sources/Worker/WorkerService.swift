internal import Foundation
package import Logging
internal import Synchronization
package import Transport
package import Wire

/// One expert worker: joins the coordinator, takes up the experts that it is given, and serves them until the
/// coordinator says goodbye or `stop` is called. When it loses the coordinator it joins again under its name.
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
        /// How long to go on dialling a coordinator that does not answer, at first and after it was lost.
        package var patience: Duration
        package var rejoins: Rejoining

        package init(
            name: String, host: String, port: Int, modelPath: String?, memoryBytes: Int, threads: Int,
            patience: Duration, rejoins: Rejoining = .afterLoss
        ) {
            self.name = name
            self.host = host
            self.port = port
            self.modelPath = modelPath
            self.memoryBytes = memoryBytes
            self.threads = threads
            self.patience = patience
            self.rejoins = rejoins
        }
    }

    /// When a worker that has served joins again.
    package enum Rejoining: Sendable {
        case never
        /// When the link is lost: the network was cut, the worker was stopped for a while, or the coordinator died.
        case afterLoss
        /// Also when the coordinator has said goodbye; not when it has done without this worker for good.
        case always
    }

    /// Stages of a worker's life, for service managers.
    package enum Stage: Sendable, Equatable {
        case connecting
        case loading
        case ready(slots: Int, loadedBytes: Int)
    }

    /// How a time with a coordinator ended.
    private enum Ending {
        case stopped
        case goodbye(isFinal: Bool)
        /// - Parameter wasSteady: whether the worker had been with the coordinator for a while.
        case lost(WorkerError, wasSteady: Bool)
    }

    /// `stop` was called.
    struct Stopped: Error {}

    let options: Options
    let secret: ClusterSecret
    let exchange: any Exchange
    let time: any TimeSource
    let logger: Logger
    let observe: @Sendable (Stage) -> Void
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

    /// Joins and serves, again and again as the options have it; returns when the coordinator says goodbye or `stop` is
    /// called.
    /// - Throws: `TransportError`, `HandshakeError`, `CheckpointError`, `WorkerError`.
    package func run() throws {
        let folder = CheckpointFolder()
        if let path = options.modelPath { _ = try folder.open(path) }
        var reconnection = Reconnection(patience: options.patience, now: time.now())
        while !isStopped {
            let ending: Ending
            do {
                ending = try stay(until: reconnection.deadline, isReturning: reconnection.isReturning, folder)
            } catch  where reconnection.isReturning && Self.mayPass(error) {
                guard let pause = reconnection.nextPause(at: time.now()) else { throw error }
                logger.info("not back yet", metadata: ["reason": "\(error)"])
                folder.forget()
                rest(pause)
                continue
            }
            switch ending {
            case .stopped: return
            case .goodbye(let isFinal):
                guard options.rejoins == .always, !isFinal else { return }
                folder.forget()
                reconnection.begin(at: time.now(), wasSteady: true)
                if let pause = reconnection.nextPause(at: time.now()) { rest(pause) }
            case .lost(let error, let wasSteady):
                guard options.rejoins != .never else { throw error }
                logger.warning("coordinator lost", metadata: ["reason": "\(error)"])
                reconnection.begin(at: time.now(), wasSteady: wasSteady)
                guard let pause = reconnection.nextPause(at: time.now()) else { throw error }
                rest(pause)
            }
        }
    }

    /// Ends `run` soon; for any thread.
    package func stop() {
        stopFlag.store(true, ordering: .releasing)
        exchange.wake()
    }

    package var isStopped: Bool { stopFlag.load(ordering: .acquiring) }

    /// Joins one coordinator and serves it to the end.
    /// - Parameter deadline: when dialling ends.
    /// - Throws: what went wrong before the worker served, and what the coordinator cannot mend by coming back.
    private func stay(until deadline: Instant, isReturning: Bool, _ folder: CheckpointFolder) throws -> Ending {
        observe(.connecting)
        guard let link = try dial(until: deadline, isReturning: isReturning) else { return .stopped }
        let joined = time.now()
        exchange.add(link)
        defer {
            link.close(.local("the worker ends"))
            exchange.remove(link)
        }
        try shakeHands(link, fingerprint: try options.modelPath.map { try folder.open($0).fingerprint } ?? [])
        guard let assignment = try receiveAssignment(link) else { return .goodbye(isFinal: false) }
        shareMemory(of: assignment, on: link)
        observe(.loading)
        do {
            let session = try session(for: assignment, folder, link)
            defer { session.close() }
            try announce(session, on: link)
            return try serve(link, session, since: joined)
        } catch is Stopped {
            leave(link, .goodbye(Goodbye(reason: "the worker was stopped")))
            return .stopped
        } catch let error as TransportError where error.kind == .closed {
            return lost(link, error.what, since: joined)
        } catch {
            leave(link, .failure(FailureReport(message: "\(error)", status: FailureReport.Status.failed)))
            throw error
        }
    }

    private func lost(_ link: any Link, _ reason: String, since joined: Instant) -> Ending {
        .lost(
            .lostCoordinator(peer: link.peer, reason: reason), wasSteady: time.now() >= joined + Self.steadyTime)
    }

    /// Whether what keeps a worker from coming back may be gone in a moment: the coordinator is not up yet, or still
    /// holds the place for the link that was lost.
    private static func mayPass(_ error: any Error) -> Bool {
        switch error {
        case is TransportError, HandshakeError.timedOut: true
        case WorkerError.refused, WorkerError.lostCoordinator, WorkerError.silentCoordinator: true
        default: false
        }
    }

    /// Gives the last message a moment to get out.
    private func leave(_ link: any Link, _ message: ControlMessage) {
        try? link.send(message)
        _ = exchange.wait(until: time.now() + Self.farewell, spin: .zero) { _ in }
    }

    /// Waits, less long when stopped.
    func rest(_ pause: Duration) {
        _ = exchange.wait(until: time.now() + pause, spin: .zero) { _ in }
    }

    /// Whoever keeps a worker for so long has not sent it away at once.
    private static let steadyTime = Duration.seconds(2)
    private static let idleLimit = Duration.seconds(60)
    private static let spin = Duration.microseconds(50)
    private static let farewell = Duration.milliseconds(100)
}

// Serving.
extension WorkerService {
    /// Answers dispatches until the coordinator says goodbye or is lost.
    /// - Throws: `Stopped` when `stop` is called.
    private func serve(_ link: any Link, _ session: WorkerSession, since joined: Instant) throws -> Ending {
        var end: Result<Ending, any Error>?
        let heartbeat = Heartbeat(on: link)
        defer { withExtendedLifetime(heartbeat) {} }
        while end == nil {
            guard !isStopped else { throw Stopped() }
            try session.reportOrders(on: link)
            _ = exchange.wait(until: time.now() + Self.idleLimit, spin: Self.spin) { event in
                guard end == nil else { return }
                do {
                    end = try handle(event, session, since: joined).map { .success($0) }
                } catch {
                    end = .failure(error)
                }
            }
        }
        return try end?.get() ?? .stopped
    }

    /// - Returns: how it ended, if it did.
    private func handle(_ event: ExchangeEvent, _ session: WorkerSession, since joined: Instant) throws -> Ending? {
        switch event {
        case .accepted(let link):
            link.close(.local("a worker takes no connections"))
            return nil
        case .closed(let link, let reason):
            return lost(link, reason.description, since: joined)
        case .frame(let link, let header, let payload):
            guard !header.kind.isTensor else {
                do {
                    try session.answer(header, payload, on: link)
                } catch let error as BodyError {
                    throw WorkerError.unexpected(peer: link.peer, what: "a dispatch that cannot be read (\(error))")
                }
                return nil
            }
            switch try Self.message(header, payload, on: link) {
            case .goodbye(let goodbye): return .goodbye(isFinal: goodbye.isFinal)
            case .assignment(let order): try session.fill(order, number: header.flight, on: link)
            case .release(let release): try session.release(release.slots)
            case .failure(let report): throw WorkerError.refused(reason: report.message, status: report.status)
            case let other: throw WorkerError.unexpected(peer: link.peer, what: "a \(other.kind) message")
            }
            return nil
        }
    }
}
