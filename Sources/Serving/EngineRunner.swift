internal import Foundation

/// Runs an engine on a thread of its own for any number of callers: takes requests in the order in which they come,
/// gives them to the engine as room comes free, and hands each its tokens as they are generated.
///
/// `engine`, `running` and what `betweenSteps` captures belong to that thread alone; `condition` guards the rest.
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
    private let betweenSteps: () -> Void
    /// By sequence identifier.
    private var running: [Int: Running] = [:]

    private let condition = NSCondition()
    private var phase = Phase.open
    private var waiting: [Ticket] = []
    private var cancelled: Set<Int> = []
    private var ticketCount = 0
    private var state: Load

    /// - Parameters:
    ///   - engine: from now on the runner's alone.
    ///   - betweenSteps: called after every step, on the engine's thread.
    package init(engine: Engine, limits: Limits, betweenSteps: @escaping () -> Void = {}) {
        self.engine = engine
        self.limits = limits
        self.betweenSteps = betweenSteps
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
        let ticket = try condition.withLock {
            guard phase == .open else { throw RunnerError.stopping }
            guard waiting.count < limits.waiting else { throw RunnerError.queueFull(limit: limits.waiting) }
            let ticket = Ticket(number: ticketCount, request: request, start: .now, events: continuation)
            ticketCount += 1
            waiting.append(ticket)
            condition.signal()
            return ticket
        }
        let giveUp: @Sendable () -> Void = { [weak self] in self?.cancel(ticket.number) }
        continuation.onTermination = { if case .cancelled = $0 { giveUp() } }
        return Generation(events: events, start: ticket.start, giveUp: giveUp)
    }

    /// Takes no more requests; those taken may finish until `deadline` and fail then. For any thread.
    package func stop(by deadline: ContinuousClock.Instant) {
        condition.withLock {
            phase =
                switch phase {
                case .open: .draining(until: deadline)
                case .draining(let earlier): .draining(until: min(earlier, deadline))
                }
            state.isStopping = true
            condition.signal()
        }
    }

    /// For any thread.
    package var load: Load {
        condition.withLock {
            var load = state
            load.waiting = waiting.count
            return load
        }
    }

    private func cancel(_ number: Int) {
        let ticket = condition.withLock { () -> Ticket? in
            guard let index = waiting.firstIndex(where: { $0.number == number }) else {
                cancelled.insert(number)
                condition.signal()
                return nil
            }
            return waiting.remove(at: index)
        }
        ticket?.events.finish(throwing: RunnerError.cancelled)
    }
}

/// The engine's thread.
extension EngineRunner {
    private func serve() {
        while waitForWork() {
            giveUpCancelled()
            while let ticket = nextTicket() { start(ticket) }
            giveUpOverdue()
            step()
            betweenSteps()
            publish()
        }
        fail(running.values.map(\.ticket) + takeWaiting { _ in true }, with: .stopping)
        engine.abandon()
        running.removeAll()
        publish()
    }

    /// Sleeps while there is nothing to do.
    /// - Returns: false when it is time to end.
    private func waitForWork() -> Bool {
        condition.withLock {
            while true {
                let isIdle = waiting.isEmpty && !engine.hasWork
                switch phase {
                case .open where isIdle && cancelled.isEmpty: condition.wait()
                case .open: return true
                case .draining(let deadline): return !isIdle && .now < deadline
                }
            }
        }
    }

    private func giveUpCancelled() {
        let numbers = condition.withLock {
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
        condition.withLock {
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
            condition.withLock { state.failure = nil }
        } catch {
            let failed = running.values.map(\.ticket)
            engine.abandon()
            running.removeAll()
            condition.withLock { state.failure = "\(error)" }
            fail(failed, with: .engine("\(error)"))
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
        condition.withLock {
            let taken = waiting.filter(isTaken)
            waiting.removeAll(where: isTaken)
            return taken
        }
    }

    private func fail(_ tickets: [Ticket], with error: RunnerError) {
        for ticket in tickets { ticket.events.finish(throwing: error) }
    }

    private func publish() {
        condition.withLock {
            state.running = running.count
            state.freePositions = engine.freePositions
        }
    }
}
