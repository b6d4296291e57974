internal import Foundation
internal import Synchronization

/// Runs an engine on a thread of its own for any number of callers: takes requests in the order in which they come,
/// gives them to the engine as room comes free, and hands each its tokens as they are generated.
///
/// `engine`, `running` and `interlude`, but for its `wake`, belong to that thread alone.
package final class EngineRunner: Sendable {
    package struct Limits: Sendable {
        /// Requests in the batch at once.
        package var running: Int
        /// Requests that wait for room; the next one is refused.
        package var waiting: Int
        /// The longest that a request waits for room.
        package var wait: Duration

        package init(running: Int, waiting: Int, wait: Duration) {
            self.running = running
            self.waiting = waiting
            self.wait = wait
        }
    }

    /// How busy the engine is.
    package struct Load: Sendable, Equatable {
        package fileprivate(set) var running = 0
        package fileprivate(set) var waiting = 0
        package fileprivate(set) var freePositions: Int
        package let positions: Int
        package fileprivate(set) var isStopping = false
        /// What the last step failed with; nil after one that went well.
        package fileprivate(set) var failure: String?
        /// Why no request is taken now; nil while they are.
        package fileprivate(set) var obstacle: String?
    }

    private enum Phase: Equatable {
        case open
        case draining(until: ContinuousClock.Instant)
    }

    private struct Ticket {
        let number: Int
        let request: GenerationRequest
        let start: ContinuousClock.Instant
        let events: AsyncThrowingStream<Generation.Event, any Error>.Continuation
    }

    private struct Running {
        let ticket: Ticket
        let sequence: GenerationSequence
    }

    /// What callers and the engine's thread share.
    private struct Shared {
        var phase = Phase.open
        var waiting: [Ticket] = []
        var cancelled: Set<Int> = []
        var ticketCount = 0
        var load: Load
    }

    private nonisolated(unsafe) let engine: Engine
    private let limits: Limits
    private nonisolated(unsafe) let interlude: any Interlude
    /// By sequence identifier.
    private nonisolated(unsafe) var running: [Int: Running] = [:]
    private let shared: Mutex<Shared>

    /// - Parameters:
    ///   - engine: from now on the runner's alone.
    ///   - interlude: what the engine's thread does when it does not compute.
    package init(engine: Engine, limits: Limits, interlude: any Interlude = Nap()) {
        self.engine = engine
        self.limits = limits
        self.interlude = interlude
        shared = Mutex(Shared(load: Load(freePositions: engine.freePositions, positions: engine.freePositions)))
    }

    /// Serves requests until `stop`, on a thread of its own. A cancelled task stops at once.
    package func run() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { end in
                let thread = Thread {
                    self.serve()
                    end.resume()
                }
                thread.name = "engine"
                thread.start()
            }
        } onCancel: {
            stop(by: .now)
        }
    }

    /// Takes a request; for any thread.
    /// - Throws: `RequestError` when it cannot be served at all, `RunnerError` when it cannot be served now.
    package func submit(_ request: GenerationRequest) throws -> Generation {
        try Engine.validate(request, for: engine.config, cachePositions: engine.limits.cachePositions)
        let (events, continuation) = AsyncThrowingStream.makeStream(of: Generation.Event.self)
        let ticket = try shared.withLock { shared in
            guard shared.phase == .open else { throw RunnerError.stopping }
            if let obstacle = shared.load.obstacle { throw RunnerError.unavailable(obstacle) }
            guard shared.waiting.count < limits.waiting else { throw RunnerError.queueFull(limit: limits.waiting) }
            let ticket = Ticket(number: shared.ticketCount, request: request, start: .now, events: continuation)
            shared.ticketCount += 1
            shared.waiting.append(ticket)
            return ticket
        }
        interlude.wake()
        let giveUp: @Sendable () -> Void = { [weak self] in self?.cancel(ticket.number) }
        continuation.onTermination = { if case .cancelled = $0 { giveUp() } }
        return Generation(events: events, start: ticket.start, giveUp: giveUp)
    }

    /// Takes no more requests; those taken may finish until `deadline` and fail then. For any thread.
    package func stop(by deadline: ContinuousClock.Instant) {
        shared.withLock { shared in
            shared.phase =
                switch shared.phase {
                case .open: .draining(until: deadline)
                case .draining(let earlier): .draining(until: min(earlier, deadline))
                }
            shared.load.isStopping = true
        }
        interlude.wake()
    }

    /// For any thread.
    package var load: Load {
        shared.withLock { shared in
            var load = shared.load
            load.waiting = shared.waiting.count
            return load
        }
    }

    private func cancel(_ number: Int) {
        let ticket = shared.withLock { shared -> Ticket? in
            guard let index = shared.waiting.firstIndex(where: { $0.number == number }) else {
                shared.cancelled.insert(number)
                return nil
            }
            return shared.waiting.remove(at: index)
        }
        interlude.wake()
        ticket?.events.finish(throwing: RunnerError.cancelled)
    }
}

/// The engine's thread.
extension EngineRunner {
    private func serve() {
        while true {
            switch outlook {
            case .end: return finish()
            case .rest(let deadline): interlude.rest(until: deadline)
            case .work:
                giveUpCancelled()
                while let ticket = nextTicket() { start(ticket) }
                giveUpOverdue()
                step()
                interlude.betweenSteps()
            }
            publish()
        }
    }

    private enum Outlook {
        case work
        case rest(until: ContinuousClock.Instant)
        case end
    }

    private var outlook: Outlook {
        shared.withLock { shared in
            let isIdle = shared.waiting.isEmpty && !engine.hasWork
            return switch shared.phase {
            case .open where isIdle && shared.cancelled.isEmpty: .rest(until: .now + Self.longestRest)
            case .open: .work
            case .draining(let deadline): !isIdle && .now < deadline ? .work : .end
            }
        }
    }

    private func finish() {
        fail(running.values.map(\.ticket) + takeWaiting { _ in true }, with: .stopping)
        engine.abandon()
        running.removeAll()
        publish()
    }

    private func giveUpCancelled() {
        let numbers = shared.withLock { shared in
            defer { shared.cancelled.removeAll() }
            return shared.cancelled
        }
        guard !numbers.isEmpty else { return }
        for (identifier, entry) in running where numbers.contains(entry.ticket.number) {
            engine.cancel(entry.sequence)
            running[identifier] = nil
            fail([entry.ticket], with: .cancelled)
        }
    }

    private func giveUpOverdue() {
        let now = ContinuousClock.now
        fail(takeWaiting { now - $0.start > limits.wait }, with: .waitedTooLong(limits.wait))
    }

    /// The first that waits, if there is room for it: nobody overtakes.
    private func nextTicket() -> Ticket? {
        shared.withLock { shared in
            guard running.count < limits.running, let first = shared.waiting.first, engine.hasRoom(for: first.request)
            else { return nil }
            return shared.waiting.removeFirst()
        }
    }

    private func start(_ ticket: Ticket) {
        do {
            let sequence = try engine.submit(ticket.request)
            running[sequence.identifier] = Running(ticket: ticket, sequence: sequence)
        } catch {
            ticket.events.finish(throwing: error)
        }
        publish()
    }

    private func step() {
        guard engine.hasWork else { return }
        do {
            deliver(try engine.step(), at: .now)
            shared.withLock { $0.load.failure = nil }
        } catch {
            let failed = running.values.map(\.ticket)
            engine.abandon()
            running.removeAll()
            let obstacle = interlude.obstacle
            // While something stands in the way no step can go well, so what it made fail must not outlast it.
            shared.withLock { $0.load.failure = obstacle == nil ? "\(error)" : nil }
            fail(failed, with: obstacle.map(RunnerError.unavailable) ?? .engine("\(error)"))
        }
    }

    private func deliver(_ emissions: [Engine.Emission], at now: ContinuousClock.Instant) {
        for emission in emissions {
            guard let entry = running[emission.sequence.identifier] else { continue }
            switch emission.outcome {
            case .success(let step):
                entry.ticket.events.yield(.token(step, at: now))
                guard case .finished(let reason) = emission.sequence.state else { continue }
                entry.ticket.events.yield(.finished(reason))
                entry.ticket.events.finish()
            case .failure(let error):
                entry.ticket.events.finish(throwing: RunnerError.generation(error))
            }
            running[emission.sequence.identifier] = nil
        }
    }

    private func takeWaiting(where isTaken: (Ticket) -> Bool) -> [Ticket] {
        shared.withLock { shared in
            let taken = shared.waiting.filter(isTaken)
            shared.waiting.removeAll(where: isTaken)
            return taken
        }
    }

    private func fail(_ tickets: [Ticket], with error: RunnerError) {
        for ticket in tickets { ticket.events.finish(throwing: error) }
    }

    private func publish() {
        let obstacle = interlude.obstacle
        shared.withLock { shared in
            shared.load.running = running.count
            shared.load.freePositions = engine.freePositions
            shared.load.obstacle = obstacle
        }
    }

    /// Whatever is to happen wakes the thread; this is for what nobody thought of.
    private static let longestRest = Duration.seconds(10)
}
