/// The cluster as its coordinator runs it: who belongs to it, who holds what, how that changes, and how it is loaded.
/// No I/O and no clock: events in, actions out. `Membership` says who, `Rebalance` says what; this joins the two.
package struct ControlPlane: Sendable {
    package struct Settings: Sendable {
        package var policy = PlacementPolicy.cohort(CohortPolicy(redundantExperts: 0))
        package var throttle = FillThrottle(maximumPerWorker: 32)
        /// How often the load is looked at; nil: only when somebody asks.
        package var rebalanceInterval: Duration?

        package init() {}
    }

    package enum Event: Sendable {
        /// A worker has proven that it belongs here.
        case joined(name: String, Member.Offer)
        /// The link is closed, or the worker has not been heard of for too long.
        case lost(worker: Int)
        case command(ClusterCommand, ticket: Int)
        /// The answer to `plan` of that revision.
        case planned(revision: Int, Rearrangement)
        case filled(Int)
        case fillFailed(Int, reason: String)
        /// The engine stands between two steps, or has nothing to do.
        case stepEnded
        case tick
    }

    package enum Action: Sendable {
        /// The worker that joined has this number from now on.
        case admitted(index: Int)
        /// The worker that wanted to join may not.
        case refuse(MembershipError)
        case reply(ticket: Int, ClusterReply)
        /// Ask the policy, on whatever thread, and bring the answer as `planned`.
        case plan(revision: Int, RebalanceRequest, PlacementPolicy, PolicyInput)
        /// Tell the worker to fill a slot and to report under this number.
        case fill(Int, PlacementChange.Fill)
        /// Tell the worker to drop slots, loaded or loading. Commands reach a worker in order.
        case free(worker: Int, [Slot])
        /// From now on dispatch by this.
        case publish(Placement)
        /// Somebody must be found for these before dispatches can go on.
        case missing([Slot])
        /// Do without the worker: it is lost, or to leave at once.
        case disconnect(worker: Int)
        /// Tell the worker that it may leave.
        case dismiss(worker: Int)
    }

    /// What one event brings about.
    private struct Consequences {
        var actions: [Action] = []
        var reply = ClusterReply.accepted
        var refusal: MembershipError?
    }

    package private(set) var membership: Membership
    package private(set) var rebalance: Rebalance
    package private(set) var ledger = FlightLedger()
    package private(set) var statistics: LoadStatistics
    package private(set) var spread: TokenSpread
    /// Since when slots have no holder; nil while every slot has one.
    package private(set) var missingSince: Duration?
    /// How the last request ended, for people.
    package private(set) var lastOutcome: String?
    package private(set) var totals = ClusterStatus.Totals()
    private let settings: Settings
    private let stages: [Stage]
    private let tensor: Int
    /// [tensor] bytes of a slice of an expert.
    private let sliceBytes: [Int]
    private var nextFold: Duration
    private var nextRebalance: Duration?

    /// - Parameters:
    ///   - members: those that take part from the start, by the placement's worker index.
    ///   - statistics: what is known of the load.
    ///   - now: time since any origin, as for `handle`.
    package init(
        placement: Placement, members: [Member], sliceBytes: [Int], statistics: LoadStatistics,
        settings: Settings = Settings(), at now: Duration = .zero
    ) {
        self.settings = settings
        self.sliceBytes = sliceBytes
        self.statistics = statistics
        stages = placement.stages
        tensor = placement.parallelism.tensor
        spread = TokenSpread(layers: placement.layers)
        membership = Membership(members: members, stages: placement.stages)
        rebalance = Rebalance(
            holdings: Holdings(placement), epoch: placement.epoch, throttle: settings.throttle)
        nextFold = now + Self.foldInterval
        nextRebalance = settings.rebalanceInterval.map { now + $0 }
    }

    /// - Parameter now: never going back.
    package mutating func handle(_ event: Event, at now: Duration) -> [Action] {
        var result = Consequences()
        switch event {
        case .joined(let name, let offer):
            tell(.joined(name: name, offer), now, &result)
            if let refusal = result.refusal { result.actions.append(.refuse(refusal)) }
        case .lost(let worker):
            totals.lostWorkers += 1
            tell(.lost(name: membership.members[worker].name), now, &result)
        case .command(let command, let ticket):
            carryOut(command, now, &result)
            if let refusal = result.refusal { result.reply = .refused(refusal) }
            result.actions.append(.reply(ticket: ticket, result.reply))
        case .planned(let revision, let plan): tell(.planned(revision: revision, plan), now, &result)
        case .filled(let number):
            noteMoved(number)
            tell(.filled(number), now, &result)
        case .fillFailed(let number, let reason): tell(.fillFailed(number, reason: reason), now, &result)
        case .stepEnded: tell(.stepEnded, now, &result)
        case .tick: tick(now, &result)
        }
        endFlights(now, &result)
        return result.actions
    }

    /// What was given up meanwhile counts for nothing.
    private mutating func noteMoved(_ number: Int) {
        guard case .filling(let migration) = rebalance.phase, let active = migration.active[number] else { return }
        totals.movedBytes += active.fill.byteCount
    }

    /// When a tick is wanted.
    package var wake: Duration {
        [rebalance.wake, nextRebalance].compactMap { $0 }.reduce(nextFold, min)
    }

    /// A flight begins; it ends with the epoch that this returns.
    package mutating func beginFlight() -> UInt32 {
        ledger.begin(epoch: rebalance.epoch)
        return rebalance.epoch
    }

    package mutating func endFlight(epoch: UInt32, at now: Duration) -> [Action] {
        ledger.end(epoch: epoch)
        guard !rebalance.leaving.isEmpty else { return [] }
        var result = Consequences()
        endFlights(now, &result)
        return result.actions
    }

    /// Counts one batch of one layer.
    /// - Parameters:
    ///   - experts: [tokens x experts per token], as the router chose them.
    ///   - pairs: [workers] pairs that each worker got.
    package mutating func record(
        layer: Int, experts: UnsafeBufferPointer<Int32>, pairs: [Int32]
    ) {
        statistics.record(layer: layer, experts: experts)
        spread.record(layer: layer, pairs: pairs)
    }

    package mutating func record(worker: Int, _ load: WorkerLoad) {
        statistics.record(worker: membership.members[worker].name, load)
    }

    package mutating func note(_ change: (inout ClusterStatus.Totals) -> Void) { change(&totals) }

    /// Mean over maximum of the tokens per worker as they were sent lately: 1 is level.
    package var balancedness: Double {
        spread.balancedness { layer in
            guard let stage = stages.first(where: { $0.layers.contains(layer) }) else { return [] }
            return membership.members.filter { $0.isPresent && $0.stage == stage.index }.map(\.index)
                .filter { rebalance.holdings.slotCount(of: $0) > 0 }
        }
    }

    /// What is wanted of the workers per unit of time by how fast they are: 1 is the usual speed.
    package var speeds: [Double] {
        let measured = MeasuredSpeeds(statistics)
        return membership.members.map { measured.speed(of: $0.name) }
    }

    private mutating func carryOut(_ command: ClusterCommand, _ now: Duration, _ result: inout Consequences) {
        switch command {
        case .rebalance: tell(.requested(.rebalance), now, &result)
        case .drain(let name): tell(.drain(name: name), now, &result)
        case .remove(let name): tell(.remove(name: name), now, &result)
        }
    }

    private mutating func tick(_ now: Duration, _ result: inout Consequences) {
        if now >= nextFold {
            statistics.fold(seconds: now / .seconds(1))
            spread.fold(seconds: now / .seconds(1))
            nextFold = now + Self.foldInterval
        }
        if let interval = settings.rebalanceInterval, let due = nextRebalance, now >= due {
            nextRebalance = now + interval
            if rebalance.status.request == nil || rebalance.status.phase == "failed" {
                tell(.requested(.rebalance), now, &result)
            }
        }
        tell(.tick, now, &result)
    }

    private mutating func tell(_ event: Membership.Event, _ now: Duration, _ result: inout Consequences) {
        for action in membership.handle(event) {
            switch action {
            case .admitted(let index): result.actions.append(.admitted(index: index))
            case .request(let request): tell(.requested(request), now, &result)
            case .lost(let index):
                result.actions.append(.disconnect(worker: index))
                tell(.lost(worker: index), now, &result)
            case .dismiss(let index): result.actions.append(.dismiss(worker: index))
            case .refuse(let error): result.refusal = error
            }
        }
    }

    private mutating func tell(_ event: Rebalance.Event, _ now: Duration, _ result: inout Consequences) {
        for action in rebalance.handle(event, at: now) {
            switch action {
            case .plan(let revision, let request): plan(revision, request, now, &result)
            case .fill(let number, let fill): result.actions.append(.fill(number, fill))
            case .free(let free): self.free(free, &result)
            case .publish(let epoch): publish(epoch, &result)
            case .missing(let slots):
                missingSince = missingSince ?? now
                result.actions.append(.missing(slots))
            case .answer(let status): result.reply = .underWay(status)
            case .finished(let request, let outcome): finish(request, outcome, now, &result)
            }
        }
    }

    private mutating func plan(
        _ revision: Int, _ request: RebalanceRequest, _ now: Duration, _ result: inout Consequences
    ) {
        let speeds = MeasuredSpeeds(statistics)
        do {
            let input = try PolicyInput(
                holdings: rebalance.holdings, stages: stages,
                workers: membership.capacities(leaving: rebalance.leavingCount) { speeds.speed(of: $0.name) },
                loads: statistics.loads(), sliceBytes: sliceBytes)
            result.actions.append(.plan(revision: revision, request, settings.policy, input))
        } catch {
            preconditionFailure("what the coordinator knows of its workers is sound: \(error)")
        }
    }

    private mutating func free(_ free: PlacementChange.Free, _ result: inout Consequences) {
        if case .free(free.worker, let slots) = result.actions.last {
            result.actions[result.actions.count - 1] = .free(worker: free.worker, slots + [free.slot])
        } else {
            result.actions.append(.free(worker: free.worker, [free.slot]))
        }
    }

    private mutating func publish(_ epoch: UInt32, _ result: inout Consequences) {
        totals.switches += 1
        guard rebalance.holdings.isWhole else { return }
        missingSince = nil
        do {
            let workers = max(membership.members.count, tensor * stages.count)
            let parallelism = try Parallelism(tensor: tensor, pipeline: stages.count, workers: workers)
            result.actions.append(
                .publish(
                    try rebalance.holdings.placement(epoch: epoch, parallelism: parallelism, stages: stages)))
        } catch {
            preconditionFailure("holdings without gaps are a placement: \(error)")
        }
    }

    private mutating func finish(
        _ request: RebalanceRequest, _ outcome: RebalanceOutcome, _ now: Duration, _ result: inout Consequences
    ) {
        lastOutcome = "\(describe(request)): \(outcome)"
        var ended = Consequences()
        tell(.finished(request, outcome), now, &ended)
        if let refusal = ended.refusal { lastOutcome = "\(refusal)" }
        result.actions += ended.actions
    }

    /// Lets slots go that no flight needs any more.
    private mutating func endFlights(_ now: Duration, _ result: inout Consequences) {
        guard !rebalance.leaving.isEmpty else { return }
        tell(.flightsEnded(before: ledger.oldest ?? rebalance.epoch), now, &result)
    }

    /// A request with the name of its worker.
    package func describe(_ request: RebalanceRequest) -> String {
        let name = request.worker.map { membership.members[$0].name } ?? ""
        return switch request {
        case .rebalance: "rebalance"
        case .admit: "admit \(name)"
        case .drain: "drain \(name)"
        case .repair: "repair"
        }
    }

    /// Windows are minutes long: a second is soon enough.
    private static let foldInterval = Duration.seconds(1)
}
