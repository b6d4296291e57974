package import Cluster
package import Experts
package import Kernels
package import Logging
package import Transport
package import Wire

/// The routed experts on a cluster of workers: dispatches each layer's tokens to the workers that hold their experts,
/// and combines the answers in an order that does not depend on who gave them. The cluster may change meanwhile:
/// workers die, join and leave, and experts move; that costs time and no request.
///
/// Used from one thread, the engine's; `desk` is for all others.
package final class RemoteExperts: RoutedExperts {
    package struct Limits: Sendable {
        /// The longest that one layer's answers may take; a worker that is later is taken for lost.
        package var answer = Duration.seconds(120)
        /// A worker of which nothing is heard for so long is taken for lost.
        package var silence = Duration.seconds(5)
        /// How long experts may be without a holder before the requests that need them fail.
        package var recovery = Duration.seconds(60)
        /// How many workers, one after the other, may be lost over the same answers before the requests that need them
        /// fail: what ends whoever is asked would be asked of all, and of all that come back.
        package var losses = 5
        /// A worker that is so late is doubled by others that hold the same experts ...
        package var hedge = Duration.milliseconds(50)
        /// ... once it has taken so many times as long as the slowest of those that have answered.
        package var hedgeRatio = 4
        /// How long the step's thread polls before it sleeps.
        package var spin = Duration.microseconds(50)
        /// Whether the workers run on the processors of the step's own threads: what overlaps there does not gain time
        /// but takes turns, and the worker that has to wait for its turn is the one that all wait for. A flight is then
        /// sent when its answers are wanted, after whatever else there was to compute, and in portions, of which a
        /// worker gets fewer that is held up by what else runs there.
        package var sharesProcessors = false
        /// The fewest experts that a portion is about: with fewer it is not worth its frames.
        package var portionExperts = 3

        package init() {}
    }

    /// Asks a policy on whatever thread and hands over what it says.
    package typealias Planner =
        @Sendable (
            PlacementPolicy, RebalanceRequest, PolicyInput, _ answer: @escaping @Sendable (Rearrangement) -> Void
        ) -> Void

    /// For all other threads.
    package let desk: ControlDesk
    let shape: RowShape
    let exchange: any Exchange
    let arrivals: Arrivals
    let time: any TimeSource
    let limits: Limits
    let logger: Logger
    let planner: Planner
    let sliceBytes: [Int]
    let maximumAnswers: Int
    private let sum: AnswerSum
    let processor: Processor
    private let encoder: RowEncoder
    private let lastLayer: Int
    var roster: Roster
    var control: ControlPlane
    var placement: Placement
    var plan: DispatchPlan
    var parcels = Parcels()
    /// What the plan keeps back of a flight.
    var reserve: Reserve?
    /// What is being sent, kept for its memory.
    var letters: [Letter] = []
    /// Workers that could not be sent to, until they are done without.
    var unreachable: [(worker: Int, reason: String)] = []
    var commands: [Int: @Sendable (ClusterReply) -> Void] = [:]
    /// What is decided and not done yet.
    var backlog: [ControlPlane.Action] = []
    var isCarryingOut = false
    private var board = StatusBoard()
    private var idle: [Answers] = []
    private var flights: [UInt64: Answers] = [:]
    /// The hidden vectors of flights that are to be sent when they are combined.
    private var held: [UInt64: UnsafePointer<Float>] = [:]
    private var tokenCount = 0
    private var nextIdentifier: UInt64 = 1

    /// - Parameters:
    ///   - workers: by the placement's worker index; their links become this object's.
    ///   - control: says how the cluster changes; its members are the workers.
    ///   - exchange: holds nothing else.
    ///   - arrivals: brings workers that join.
    ///   - maximumTokens: the most tokens of one flight.
    ///   - sliceBytes: [tensor] bytes of a slice of an expert.
    package init(
        workers: [ReadyWorker], placement: Placement, control: ControlPlane, exchange: any Exchange,
        arrivals: Arrivals, time: any TimeSource, processor: Processor, shape: RowShape, expertsPerToken: Int,
        maximumTokens: Int, sliceBytes: [Int], limits: Limits = Limits(), planner: @escaping Planner = inBackground,
        logger: Logger
    ) {
        self.placement = placement
        self.control = control
        self.exchange = exchange
        self.arrivals = arrivals
        self.time = time
        self.processor = processor
        self.shape = shape
        self.limits = limits
        self.planner = planner
        self.logger = logger
        self.sliceBytes = sliceBytes
        let ranks = placement.parallelism.tensor
        lastLayer = placement.layers.last ?? 0
        maximumAnswers = maximumTokens * expertsPerToken * ranks
        let dtype = ExchangeDType(shape.dtype)
        sum = AnswerSum(
            processor: processor, hiddenSize: shape.hiddenSize, rankCount: ranks, maximumTokens: maximumTokens,
            exchange: dtype)
        encoder = RowEncoder(
            processor: processor, hiddenSize: shape.hiddenSize, maximumRows: maximumTokens, exchange: dtype)
        plan = DispatchPlan(speeds: control.speeds, shape: shape, portionExperts: limits.portionExperts)
        roster = Roster(workers, now: time.now())
        desk = ControlDesk(
            .init(
                status: board.draw(control, roster, tokens: 0, sliceBytes: sliceBytes, now: time.now()),
                statistics: control.statistics, placement: placement),
            wakeUp: { exchange.wake() })
        for worker in workers { hold(worker.link) }
    }

    package var stageCount: Int { placement.stages.count }

    package var passesPerStage: Int { limits.sharesProcessors ? 1 : 2 }

    package func stage(of layer: Int) -> Int { placement.stage(layer: layer)?.index ?? 0 }

    package var activity: [WorkerActivity] { roster.members.map(\.activity) }

    package func dispatch(_ hidden: UnsafePointer<Float>, to routing: Routing, layer: Int) throws -> Flight {
        let flight = Flight(identifier: takeIdentifier(), layer: layer, routing: routing)
        if limits.sharesProcessors {
            held[flight.identifier] = hidden
        } else {
            send(try begin(flight, hidden))
        }
        return flight
    }

    package func combine(
        _ flight: Flight, beside work: (any FeedForwardLoops)?, into output: UnsafeMutablePointer<Float>
    ) throws {
        work?.run(on: processor.team, isFollowed: !limits.sharesProcessors)
        if let hidden = held.removeValue(forKey: flight.identifier) {
            try trade(try begin(flight, hidden))
        } else if let answers = flights[flight.identifier] {
            try collect(answers)
        }
        guard let answers = flights.removeValue(forKey: flight.identifier) else {
            preconditionFailure("a flight is combined once")
        }
        sum.add(answers.values, routing: flight.routing, into: output)
        end(answers)
    }

    /// Plans who is asked what a flight needs.
    private func begin(_ flight: Flight, _ hidden: UnsafePointer<Float>) throws -> Answers {
        try makeWhole()
        let (routing, layer) = (flight.routing, flight.layer)
        let answers = idle.popLast() ?? Answers(processor: processor, maximumAnswers: maximumAnswers, shape: shape)
        let table = placement.table(layer: layer)
        answers.begin(
            Answers.Question(
                hidden: hidden, routing: routing, layer: layer, epoch: control.beginFlight(), start: time.now()),
            answers: routing.pairCount * table.tensor)
        flights[flight.identifier] = answers
        plan.build(routing, table, inPortions: limits.sharesProcessors)
        control.record(
            layer: layer, experts: UnsafeBufferPointer(start: routing.experts, count: routing.pairCount),
            pairs: plan.loads)
        if layer == lastLayer { tokenCount += routing.tokens }
        return answers
    }

    /// Sends what the plan holds of a flight, and waits until it is whole.
    private func trade(_ answers: Answers) throws {
        guard plan.hasPortions else {
            send(answers)
            return try collect(answers)
        }
        // Whoever hands out portions is not to wait until the worker on its own processor has no more to do.
        try processor.team.withFreeCaller {
            sendInPortions(answers)
            try collect(answers)
        }
    }

    package func abandon() {
        reserve = nil
        parcels.removeAll()
        for answers in flights.values { end(answers) }
        flights.removeAll()
        held.removeAll()
    }

    /// Between two steps: hears what came meanwhile, lets the cluster change, and shows how it is. Never waits.
    package func turn() {
        listen(until: time.now())
        loseTheSilent()
        tell(.stepEnded)
        tend()
        showPicture()
    }

    /// While there is nothing to compute: waits until something happens, at most until `deadline`, then as `turn`.
    package func rest(until deadline: Instant) {
        let wake = Instant(nanoseconds: control.wake.wholeNanoseconds)
        listen(until: min(deadline, wake, time.now() + Self.tick))
        turn()
    }

    /// Why requests cannot be served now: experts have been without a holder for longer than `Limits.recovery`.
    package var obstacle: ExpertsLost? {
        guard let since = control.missingSince, time.now().sinceOrigin - since >= limits.recovery else {
            return nil
        }
        return ExpertsLost(
            losses: roster.losses, missing: control.rebalance.holdings.missing, waited: limits.recovery)
    }

    /// Tells every worker that it is no longer needed.
    package func close() {
        desk.close()
        for answer in commands.values { answer(.refused(.stopping)) }
        commands.removeAll()
        let links = roster.serving.compactMap { roster.link(of: $0) }
        for link in links { try? link.send(.goodbye(Goodbye(reason: "the coordinator is done"))) }
        // A link closed with something unread resets the connection, and the worker may never see the goodbye.
        let deadline = time.now() + Self.farewell
        while links.contains(where: { $0.closeReason == nil }), time.now() < deadline {
            _ = exchange.wait(until: deadline, spin: .zero) { _ in }
        }
        for link in links { link.close(.local("the coordinator is done")) }
    }

    func takeIdentifier() -> UInt64 {
        defer { nextIdentifier += 1 }
        return nextIdentifier
    }

    /// Takes a worker's link in.
    func hold(_ link: any Link) {
        link.maximumPayload = max(
            WireLimit.controlPayload, CombineBody.byteCount(pairs: maximumAnswers, shape: shape))
        exchange.add(link)
    }

    /// The hidden vectors [tokens, hidden size] as they travel.
    func encoded(_ hidden: UnsafePointer<Float>, _ tokens: Int) -> UnsafeRawPointer {
        encoder.encode(hidden, count: tokens)
    }

    private func end(_ answers: Answers) {
        guard let question = answers.question else { return }
        if reserve?.answers === answers { reserve = nil }
        parcels.forget(answers)
        answers.end()
        idle.append(answers)
        carryOut(control.endFlight(epoch: question.epoch, at: time.now().sinceOrigin))
    }

    /// - Parameter isUrgent: whether somebody is about to look.
    func showPicture(isUrgent: Bool = false) {
        let now = time.now()
        guard isUrgent || now >= board.due else { return }
        desk.show(
            .init(
                status: board.draw(control, roster, tokens: tokenCount, sliceBytes: sliceBytes, now: now),
                statistics: control.statistics, placement: placement))
    }

    /// How long a goodbye may take.
    private static let farewell = Duration.milliseconds(500)
    /// How often silence is looked for.
    static let tick = Duration.milliseconds(250)
}
