package import Cluster
package import Experts
package import Kernels
package import Logging
package import Transport
package import Wire

/// The routed experts on a cluster of workers: dispatches each layer's tokens to the workers that hold their experts, and
/// combines the answers in an order that does not depend on who gave them. A worker that dies costs time and no request:
/// what it owes is asked of others, which load its experts from their own checkpoint if nobody else holds them.
package final class RemoteExperts: RoutedExperts {
    package struct Limits: Sendable {
        /// The longest that one layer's answers may take; a worker that is later is taken for lost.
        package var answer = Duration.seconds(120)
        /// A worker of which nothing is heard for so long while it owes answers is taken for lost.
        package var silence = Duration.seconds(5)
        /// How long experts may be without a holder before the requests that need them fail.
        package var recovery = Duration.seconds(60)
        /// How long the step's thread polls before it sleeps.
        package var spin = Duration.microseconds(50)

        package init() {}
    }

    private let shape: RowShape
    private let exchange: any Exchange
    private let arrivals: Arrivals
    private let time: any TimeSource
    private let limits: Limits
    private let logger: Logger
    private let processor: Processor
    private let sum: AnswerSum
    private let narrowHidden: AlignedBuffer<UInt16>
    private let maximumAnswers: Int
    private var roster: Roster
    private var repair: Repair
    private var placement: Placement
    private var plan: DispatchPlan
    private var chooser: ReplicaChooser
    private var idle: [Answers] = []
    private var flights: [UInt64: Answers] = [:]
    private var parcels: [UInt64: Parcel] = [:]
    private var orphans: [Parcel] = []
    private var nextIdentifier: UInt64 = 1

    /// - Parameters:
    ///   - workers: by the placement's worker index; their links become this object's.
    ///   - exchange: holds nothing else.
    ///   - arrivals: brings lost workers that are back.
    ///   - maximumTokens: the most tokens of one flight.
    ///   - sliceBytes: [tensor] bytes of a slice of an expert.
    package init(
        workers: [ReadyWorker], placement: Placement, exchange: any Exchange, arrivals: Arrivals,
        time: any TimeSource, processor: Processor, shape: RowShape, expertsPerToken: Int, maximumTokens: Int,
        sliceBytes: [Int], limits: Limits = Limits(), logger: Logger
    ) {
        self.placement = placement
        self.exchange = exchange
        self.arrivals = arrivals
        self.time = time
        self.processor = processor
        self.shape = shape
        self.limits = limits
        self.logger = logger
        let ranks = placement.parallelism.tensor
        maximumAnswers = maximumTokens * expertsPerToken * ranks
        sum = AnswerSum(
            processor: processor, hiddenSize: shape.hiddenSize, rankCount: ranks, maximumTokens: maximumTokens,
            exchange: ExchangeDType(shape.dtype))
        narrowHidden = AlignedBuffer(count: shape.dtype == .bf16 ? maximumTokens * shape.hiddenSize : 0)
        plan = DispatchPlan(workerCount: workers.count, shape: shape)
        chooser = ReplicaChooser(speeds: workers.map { _ in 1 })
        roster = Roster(workers, now: time.now())
        repair = Repair(placement, sliceBytes: sliceBytes)
        for worker in workers { take(worker.link) }
    }

    package var stageCount: Int { placement.stages.count }

    package func stage(of layer: Int) -> Int { placement.stage(layer: layer)?.index ?? 0 }

    package var activity: [WorkerActivity] { roster.members.map(\.activity) }

    package func dispatch(_ hidden: UnsafePointer<Float>, to routing: Routing, layer: Int) throws -> Flight {
        welcomeArrivals()
        let flight = Flight(identifier: takeIdentifier(), layer: layer, routing: routing)
        let answers = idle.popLast() ?? Answers(maximumAnswers: maximumAnswers, shape: shape)
        let table = placement.table(layer: layer)
        answers.begin(
            Answers.Question(hidden: hidden, routing: routing, layer: layer),
            answers: routing.pairCount * table.tensor)
        flights[flight.identifier] = answers
        plan.build(routing, table, &chooser)
        send(answers)
        return flight
    }

    package func combine(_ flight: Flight, into output: UnsafeMutablePointer<Float>) throws {
        guard let answers = flights[flight.identifier] else { preconditionFailure("a flight is combined once") }
        try collect(answers)
        flights[flight.identifier] = nil
        sum.add(answers.values, routing: flight.routing, into: output)
        answers.end()
        idle.append(answers)
    }

    package func abandon() {
        parcels.removeAll()
        orphans.removeAll()
        flights.removeAll()
    }

    /// Tells every worker that it is no longer needed.
    package func close() {
        let links = roster.serving.compactMap { roster.link(of: $0) }
        for link in links { try? link.send(.goodbye(Goodbye(reason: "the coordinator is done"))) }
        _ = exchange.wait(until: time.now() + Self.farewell, spin: .zero) { _ in }
        for link in links { link.close(.local("the coordinator is done")) }
    }

    /// Sends what the plan holds of a flight, one parcel to each worker; what cannot be sent is an orphan at once.
    private func send(_ answers: Answers) {
        guard let question = answers.question else { return }
        let rows = exchanged(question.hidden, question.routing.tokens)
        let now = time.now()
        for worker in plan.shares.indices where !plan.shares[worker].isEmpty {
            let parcel = Parcel(answers: answers, worker: worker, places: plan.shares[worker].places, sent: now)
            let identifier = takeIdentifier()
            parcels[identifier] = parcel
            guard let link = roster.link(of: worker) else {
                orphan(identifier)
                continue
            }
            do {
                try plan.write(
                    worker: worker, hidden: rows, epoch: placement.epoch, layer: question.layer, flight: identifier
                ) { header, segments in
                    try link.send(header, segments)
                    roster.note(worker) { $0.noteDispatch(header) }
                }
            } catch {
                lose(worker, "\(error)")
            }
        }
    }

    /// Waits until a flight is whole.
    private func collect(_ answers: Answers) throws {
        while answers.dueCount > 0 {
            try rehome()
            let result = exchange.wait(until: time.now() + Self.tick, spin: limits.spin) { handle($0) }
            if result == .timedOut { loseTheSilent() }
            welcomeArrivals()
        }
    }

    private func handle(_ event: ExchangeEvent) {
        switch event {
        case .accepted(let link):
            link.close(.local("nobody is let in here"))
        case .closed(let link, let reason):
            if let worker = roster.index(of: link) { lose(worker, reason.description) }
        case .frame(let link, let header, let payload):
            guard let worker = roster.index(of: link) else { return }
            roster.hear(worker, at: time.now())
            do {
                try receive(header, payload, from: worker)
            } catch {
                link.close(.local("\(error)"))
                lose(worker, "\(error)")
            }
        }
    }

    private func receive(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer, from worker: Int) throws {
        guard header.kind == .combine else {
            switch try ControlMessage(kind: header.kind, payload: payload) {
            case .ready: repair.done(header.flight)
            case .failure(let report): lose(worker, report.message)
            case .goodbye(let goodbye): lose(worker, goodbye.reason)
            default: break
            }
            return
        }
        roster.note(worker) { $0.noteCombine(header) }
        guard let parcel = parcels[header.flight], parcel.worker == worker else { return }
        try parcel.answers.accept(header, payload, at: parcel.places)
        parcels[header.flight] = nil
    }

    /// The hidden vectors [tokens, hidden size] in the dtype of the wire.
    private func exchanged(_ hidden: UnsafePointer<Float>, _ tokens: Int) -> UnsafeRawPointer {
        guard shape.dtype == .bf16 else { return UnsafeRawPointer(hidden) }
        processor.narrow(hidden, count: tokens * shape.hiddenSize, into: narrowHidden.pointer)
        return UnsafeRawPointer(narrowHidden.pointer)
    }

    private func takeIdentifier() -> UInt64 {
        defer { nextIdentifier += 1 }
        return nextIdentifier
    }

    private func take(_ link: any Link) {
        link.maximumPayload = max(
            WireLimit.controlPayload, CombineBody.byteCount(pairs: maximumAnswers, shape: shape))
        exchange.add(link)
    }

    /// How long a goodbye may take.
    private static let farewell = Duration.milliseconds(50)
    /// How often silence is looked for.
    private static let tick = Duration.milliseconds(250)
}

// Workers that go and come back.
extension RemoteExperts {
    private func lose(_ worker: Int, _ reason: String) {
        guard let link = roster.link(of: worker) else { return }
        logger.warning(
            "worker lost", metadata: ["worker": "\(roster.members[worker].seat.name)", "reason": "\(reason)"])
        link.close(.local(reason))
        roster.lose(worker, reason)
        repair.lose(worker)
        for (identifier, parcel) in parcels where parcel.worker == worker { orphan(identifier) }
    }

    private func orphan(_ identifier: UInt64) {
        if let parcel = parcels.removeValue(forKey: identifier) { orphans.append(parcel) }
    }

    /// Takes workers for lost that owe answers and send nothing, not even heartbeats, or answer too late.
    private func loseTheSilent() {
        let now = time.now()
        for parcel in Array(parcels.values) {
            guard let lastHeard = roster.lastHeard(parcel.worker) else { continue }
            if now >= lastHeard + limits.silence {
                lose(parcel.worker, "nothing was heard from it for \(limits.silence)")
            } else if now >= parcel.sent + limits.answer {
                lose(parcel.worker, "it has not answered within \(limits.answer)")
            }
        }
    }

    /// Asks others for what lost workers owe; first gives each expert a holder again.
    private func rehome() throws {
        guard !orphans.isEmpty else { return }
        try makeWhole()
        let waiting = orphans
        orphans.removeAll()
        for parcel in waiting {
            guard let question = parcel.answers.question else { continue }
            plan.build(question.routing, placement.table(layer: question.layer), only: parcel.places)
            send(parcel.answers)
        }
    }

    /// Waits until every slot has a holder: survivors load what is missing, or the lost worker comes back.
    private func makeWhole() throws {
        let start = time.now()
        while !repair.isWhole {
            for order in try repair.orders(roster) { give(order) }
            guard time.now() < start + limits.recovery else {
                throw ExpertsLost(
                    losses: roster.losses, missing: repair.holdings.missing, waited: limits.recovery)
            }
            _ = exchange.wait(until: time.now() + Self.tick, spin: .zero) { handle($0) }
            welcomeArrivals()
        }
        placement = try repair.placement(epoch: placement.epoch + 1)
        logger.info("experts have holders again", metadata: ["epoch": "\(placement.epoch)"])
    }

    private func give(_ order: Repair.Order) {
        guard let link = roster.link(of: order.worker) else { return }
        var assignment = roster.members[order.worker].seat.assignment
        assignment.slots = Assignment.SlotGroup.groups(of: order.slots)
        do {
            try link.send(.assignment(assignment), epoch: placement.epoch + 1, flight: order.identifier)
        } catch {
            lose(order.worker, "\(error)")
        }
    }

    /// Takes in workers that are back under their name and hold their slots.
    private func welcomeArrivals() {
        for ready in arrivals.take() {
            guard let worker = roster.index(named: ready.seat.name), roster.link(of: worker) == nil else {
                ready.link.close(.local("its place is taken"))
                continue
            }
            roster.restore(worker, ready, now: time.now())
            take(ready.link)
            let slots = ready.seat.assignment.slots.flatMap { group in
                group.experts.map { Slot(layer: group.layer, expert: $0, rank: group.rank) }
            }
            let released = repair.restore(worker, slots)
            guard repair.isWhole, let next = try? repair.placement(epoch: placement.epoch + 1) else { continue }
            placement = next
            for (other, slots) in released {
                try? roster.link(of: other)?.send(
                    .release(SlotRelease(slots: Assignment.SlotGroup.groups(of: slots))), epoch: placement.epoch)
            }
            logger.info("worker is back", metadata: ["worker": "\(ready.seat.name)"])
        }
    }
}

extension ExchangeDType {
    package init(_ dtype: WireDType) {
        self =
            switch dtype {
            case .f32: .f32
            case .bf16: .bf16
            }
    }

    package var onTheWire: WireDType {
        switch self {
        case .f32: .f32
        case .bf16: .bf16
        }
    }
}
