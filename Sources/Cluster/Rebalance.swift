/// Changes the placement while requests run: one request at a time is planned, its slots are filled in the background,
/// the table is switched between two steps, and old slots are freed when no flight needs them. A change that fails
/// leaves the placement as it stands. No I/O, no clock: events in, actions out.
package struct Rebalance: Sendable {
    package enum Phase: Sendable, Equatable {
        case idle
        case planning(RebalanceRequest)
        case filling(Migration)
        /// All is filled; the next end of a step switches.
        case switching(Migration)
        /// Switched; old slots wait for the flights of older epochs.
        case draining(Migration)
        case failed(RebalanceRequest, reason: String)
    }

    package enum Event: Sendable {
        case requested(RebalanceRequest)
        /// The answer to `plan` of that revision; answers to earlier ones are out of date.
        case planned(revision: Int, Rearrangement)
        case filled(Int)
        case fillFailed(Int, reason: String)
        /// The engine stands between two steps, or has nothing to do.
        case stepEnded
        /// No flight of an epoch below this one is left.
        case flightsEnded(before: UInt32)
        case lost(worker: Int)
        case tick
    }

    package enum Action: Sendable, Equatable {
        /// Ask the policy, with `holdings` and the workers as they are now.
        case plan(revision: Int, RebalanceRequest)
        /// Tell the worker to fill a slot and to report under this number.
        case fill(Int, PlacementChange.Fill)
        /// Tell the worker to drop a slot, loaded or loading. Commands reach a worker in order.
        case free(PlacementChange.Free)
        /// From now on dispatch by `holdings`, under this epoch.
        case publish(epoch: UInt32)
        /// Nobody holds these: dispatch waits for the next `publish`.
        case missing([Slot])
        /// The answer to a request that is under way or waits already.
        case answer(RebalanceStatus)
        case finished(RebalanceRequest, RebalanceOutcome)
    }

    package internal(set) var phase = Phase.idle
    package internal(set) var queue: [RebalanceRequest] = []
    /// Who answers for what from now on; slots that are being filled or freed are not in it.
    package internal(set) var holdings: Holdings
    package internal(set) var epoch: UInt32
    /// Slots out of the table that wait for flights of epochs below theirs.
    package internal(set) var leaving: [(free: PlacementChange.Free, epoch: UInt32)] = []
    var throttle: FillThrottle
    var revision = 0
    var nextFill = 0
    var retryAt: Duration?
    /// How long it takes until a repair that left gaps is tried again.
    let retryDelay: Duration

    package init(
        holdings: Holdings, epoch: UInt32, throttle: FillThrottle = FillThrottle(),
        retryDelay: Duration = .seconds(5)
    ) {
        self.holdings = holdings
        self.epoch = epoch
        self.throttle = throttle
        self.retryDelay = retryDelay
    }

    /// - Parameter now: time since any origin, never going back.
    package mutating func handle(_ event: Event, at now: Duration) -> [Action] {
        var actions: [Action] = []
        switch event {
        case .requested(let request): enqueue(request, &actions)
        case .planned(let revision, let plan): begin(plan, revision, &actions)
        case .filled(let fill): finishFill(fill)
        case .fillFailed(let fill, let reason): failFill(fill, reason, at: now, &actions)
        case .stepEnded: switchOver(&actions)
        case .flightsEnded(let epoch): release(before: epoch, &actions)
        case .lost(let worker): lose(worker, &actions)
        case .tick: break
        }
        advance(at: now, &actions)
        return actions
    }

    /// When a tick is wanted; nil: never.
    package var wake: Duration? {
        guard case .filling(let migration) = phase else { return retryAt }
        let overdue = migration.active.values.map(\.deadline).min()
        guard !migration.waiting.isEmpty, throttle.bytesPerSecond != nil else { return overdue }
        return min(overdue ?? throttle.readyAt, throttle.readyAt)
    }

    package var status: RebalanceStatus { RebalanceStatus(self) }

    /// Slots of a worker that are out of the table but still in its memory.
    package func leavingCount(of worker: Int) -> Int { leaving.count { $0.free.worker == worker } }

    private mutating func enqueue(_ request: RebalanceRequest, _ actions: inout [Action]) {
        if request == current || queue.contains(request) {
            actions.append(.answer(status))
        } else if request == .repair {
            queue.insert(request, at: 0)
        } else {
            queue.append(request)
        }
    }

    /// The request under way.
    var current: RebalanceRequest? {
        switch phase {
        case .idle, .failed: nil
        case .planning(let request): request
        case .filling(let migration), .switching(let migration), .draining(let migration): migration.request
        }
    }

    private mutating func begin(_ plan: Rearrangement, _ revision: Int, _ actions: inout [Action]) {
        guard case .planning(let request) = phase, revision == self.revision else { return }
        let migration = Migration(request, plan)
        phase = migration.isEmpty ? .draining(migration) : .filling(migration)
    }

    mutating func finish(_ request: RebalanceRequest, _ outcome: RebalanceOutcome, _ actions: inout [Action]) {
        if case .failed(let reason) = outcome {
            phase = .failed(request, reason: reason)
        } else {
            phase = .idle
        }
        actions.append(.finished(request, outcome))
    }

    /// Goes on until an event is needed.
    private mutating func advance(at now: Duration, _ actions: inout [Action]) {
        while true {
            switch phase {
            case .idle, .failed:
                if holdings.isWhole { retryAt = nil }
                if let retryAt, now >= retryAt {
                    self.retryAt = nil
                    queue.insert(.repair, at: 0)
                }
                if !holdings.isWhole, queue.isEmpty, retryAt == nil { retryAt = now + retryDelay }
                guard !queue.isEmpty else { return }
                plan(queue.removeFirst(), &actions)
            case .filling:
                failOverdue(at: now, &actions)
                startFills(at: now, &actions)
                guard case .filling(let migration) = phase, migration.isFilled else { return }
                phase = .switching(migration)
                if !holdings.isWhole { switchOver(&actions) }
            case .draining(var migration):
                guard leaving.isEmpty else { return }
                if migration.advance() {
                    phase = .filling(migration)
                } else {
                    complete(migration, &actions)
                }
            case .planning, .switching: return
            }
        }
    }

    /// While slots are missing only what may bring them is planned.
    private mutating func plan(_ request: RebalanceRequest, _ actions: inout [Action]) {
        switch request {
        case .drain, .rebalance:
            let missing = holdings.missingCount
            if missing > 0 { return finish(request, .failed(reason: "nobody holds \(missing) slots"), &actions) }
        case .admit, .repair: break
        }
        revision += 1
        phase = .planning(request)
        actions.append(.plan(revision: revision, request))
    }

    private mutating func complete(_ migration: Migration, _ actions: inout [Action]) {
        if !migration.unplaced.isEmpty {
            finish(migration.request, .incomplete(migration.unplaced), &actions)
        } else if migration.isEmpty {
            finish(migration.request, .nothing, &actions)
        } else {
            finish(migration.request, .done, &actions)
            if migration.request == .repair, !queue.contains(.repair) { queue.append(.repair) }
        }
    }
}
