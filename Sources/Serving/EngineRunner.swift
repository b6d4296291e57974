internal import Foundation

/// Runs an engine on a thread of its own for any number of callers: takes requests in the order in which they come,
/// gives them to the engine as room comes free, and hands each its tokens as they are generated.
///
/// `engine`, `running` and `interlude`, but for its `wake`, belong to that thread alone; `lock` guards the rest.
package final class EngineRunner: @unchecked Sendable {
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

    private let engine: Engine
    private let limits: Limits
    private let interlude: any Interlude
    /// By sequence identifier.
    private var running: [Int: Running] = [:]

    private let lock = NSLock()
    private var phase = Phase.open
    private var waiting: [Ticket] = []
    private var cancelled: Set<Int> = []
    private var ticketCount = 0
    private var state: Load

    /// - Parameters:
    ///   - engine: from now on the runner's alone.
    ///   - interlude: what the engine's thread does when it does not compute.
    package init(engine: Engine, limits: Limits, interlude: any Interlude = Nap()) {
        self.engine = engine
        self.limits = limits
        self.interlude = interlude
        state = Load(freePositions: engine.freePositions, positions: engine.freePositions)
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
        let ticket = try lock.withLock {
            guard phase == .open else { throw RunnerError.stopping }
            if let obstacle = state.obstacle { throw RunnerError.unavailable(obstacle) }
            guard waiting.count < limits.waiting else { throw RunnerError.queueFull(limit: limits.waiting) }
            let ticket = Ticket(number: ticketCount, request: request, start: .now, events: continuation)
            ticketCount += 1
            waiting.append(ticket)
            return ticket
        }
        interlude.wake()
        let giveUp: @Sendable () -> Void = { [weak self] in self?.cancel(ticket.number) }
        continuation.onTermination = { if case .cancelled = $0 { giveUp() } }
        return Generation(events: events, start: ticket.start, giveUp: giveUp)
    }

    /// Takes no more requests; those taken may finish until `deadline` and fail then. For any thread.
    package func stop(by deadline: ContinuousClock.Instant) {
        lock.withLock {
            phase =
                switch phase {
                case .open: .draining(until: deadline)
                case .draining(let earlier): .draining(until: min(earlier, deadline))
                }
            state.isStopping = true
        }
        interlude.wake()
    }

    /// For any thread.
    package var load: Load {
        lock.withLock {
            var load = state
            load.waiting = waiting.count
            return load
        }
    }

    private func cancel(_ number: Int) {
        let ticket = lock.withLock { () -> Ticket? in
            guard let index = waiting.firstIndex(where: { $0.number == number }) else {
                cancelled.insert(number)
                return nil
            }
            return waiting.remove(at: index)
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
        lock.withLock {
            let isIdle = waiting.isEmpty && !engine.hasWork
            return switch phase {
            case .open where isIdle && cancelled.isEmpty: .rest(until: .now + Self.longestRest)
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
        let numbers = lock.withLock {
            defer { cancelled.removeAll() }
            return cancelled
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
        lock.withLock {
            guard running.count < limits.running, let first = waiting.first, engine.hasRoom(for: first.request) else {
                return nil
            }
            return waiting.removeFirst()
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
            lock.withLock { state.failure = nil }
        } catch {
            let failed = running.values.map(\.ticket)
            engine.abandon()
            running.removeAll()
            let obstacle = interlude.obstacle
            // While something stands in the way no step can go well, so what it made fail must not outlast it.
            lock.withLock { state.failure = obstacle == nil ? "\(error)" : nil }
            fail(failed, with: obstacle.map(RunnerError.unavailable) ?? .engine("\(error)"))
        }
    }

    private func deliver(_ emissions: [Engine.Emission], at now: ContinuousClock.Instant) {
        for emission in emissions {
            guard let entry = running[emission.sequence.identifier] else { continue }
            entry.ticket.events.yield(.token(emission.step, at: now))
            guard case .finished(let reason) = emission.sequence.state else { continue }
            running[emission.sequence.identifier] = nil
            entry.ticket.events.yield(.finished(reason))
            entry.ticket.events.finish()
        }
    }

    private func takeWaiting(where isTaken: (Ticket) -> Bool) -> [Ticket] {
        lock.withLock {
            let taken = waiting.filter(isTaken)
            waiting.removeAll(where: isTaken)
            return taken
        }
    }

    private func fail(_ tickets: [Ticket], with error: RunnerError) {
        for ticket in tickets { ticket.events.finish(throwing: error) }
    }

    private func publish() {
        let obstacle = interlude.obstacle
        lock.withLock {
            state.running = running.count
            state.freePositions = engine.freePositions
            state.obstacle = obstacle
        }
    }

    /// Whatever is to happen wakes the thread; this is for what nobody thought of.
    private static let longestRest = Duration.seconds(10)
}
