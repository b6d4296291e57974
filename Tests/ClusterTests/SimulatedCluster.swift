import Cluster
import TestSupport
import Testing

/// Rebalance and membership with workers that only count their slots: commands reach a worker in order, its answers
/// come late, flights of old epochs linger, and whatever the state machines order is checked against what is in
/// memory.
struct SimulatedCluster {
    struct Worker {
        var capacity: Int
        /// In memory.
        var resident: Set<Slot> = []
        /// Being read, by the fill's number.
        var loading: [Int: PlacementChange.Fill] = [:]
        var isAlive = true
    }

    var generator: SplitMix
    var membership: Membership
    var rebalance: Rebalance
    var ledger = FlightLedger()
    var workers: [Int: Worker] = [:]
    var now = Duration.zero
    /// The tables of the epochs that may still have flights.
    var tables: [UInt32: Holdings]
    var flights: [UInt32] = []
    /// Answers of workers on the way.
    var answers: [(worker: Int, event: Rebalance.Event)] = []
    var plan: (revision: Int, request: RebalanceRequest)?
    var isMissingReported = false
    /// Epochs with flights that waited for what nobody held; their slots go earlier.
    var stranded: Set<UInt32> = []
    let policy: CohortPolicy
    let stages: [Stage]
    let experts: Int

    init(seed: UInt64) throws {
        generator = SplitMix(seed: seed)
        experts = Int.random(in: 4...10, using: &generator)
        let count = Int.random(in: 2...5, using: &generator)
        stages = [Stage(index: 0, layers: [3, 4], workers: 0..<count)]
        let slots = (2 * experts + count - 1) / count + Int.random(in: 1...6, using: &generator)
        let members = (0..<count).map {
            Member(name: "w\($0)", index: $0, stage: 0, state: .ready, offer: Member.Offer(slots: slots))
        }
        policy = CohortPolicy(redundantExperts: [nil, 0, 2].randomElement(using: &generator)!, threshold: 0.01)
        membership = Membership(members: members, stages: stages)
        let input = try PolicyInput(
            holdings: Holdings(layers: [3, 4], experts: experts, tensor: 1), stages: stages,
            workers: membership.capacities { _ in nil },
            loads: .none(layers: [3, 4], experts: experts), sliceBytes: [100])
        let holdings = try policy.deal(input)
        let throttle = FillThrottle(
            bytesPerSecond: [nil, 1000].randomElement(using: &generator)!,
            maximumPerWorker: Int.random(in: 1...3, using: &generator))
        rebalance = Rebalance(holdings: holdings, epoch: 1, throttle: throttle)
        tables = [1: holdings]
        for member in members {
            workers[member.index] = Worker(capacity: slots, resident: Set(holdings.slots(of: member.index)))
        }
    }

    mutating func run(steps: Int) throws {
        for _ in 0..<steps {
            try step()
            check()
        }
        try settle()
    }

    private mutating func step() throws {
        now += .milliseconds(Int.random(in: 0...200, using: &generator))
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<4: join()
        case 4..<6: send(.drain(name: anyName()))
        case 6..<9: send(.lost(name: anyName()))
        case 9: send(.remove(name: anyName()))
        case 10..<15: tell(.requested(.rebalance))
        case 15..<30: try answerPlan()
        case 30..<45: beginFlight()
        case 45..<60: endFlight()
        case 60..<75: work()
        case 75..<87: deliver()
        case 87..<95: tell(.stepEnded)
        default: tell(.tick)
        }
    }

    private mutating func anyName() -> String { membership.members.randomElement(using: &generator)!.name }

    private mutating func join() {
        let fresh = "w\(Int.random(in: 0..<9, using: &generator))"
        let slots = Int.random(in: 2...2 * experts, using: &generator)
        send(.joined(name: fresh, Member.Offer(slots: slots)))
    }

    private mutating func send(_ event: Membership.Event) {
        for action in membership.handle(event) {
            switch action {
            case .admitted(let index):
                workers[index] = Worker(capacity: membership.members[index].offer.slots)
            case .request(let request): tell(.requested(request))
            case .lost(let index):
                workers[index] = nil
                answers.removeAll { $0.worker == index }
                tell(.lost(worker: index))
            case .dismiss(let index):
                #expect(workers[index]?.resident.isEmpty == true && workers[index]?.loading.isEmpty == true)
                workers[index] = nil
            case .refuse: break
            }
        }
    }

    private mutating func tell(_ event: Rebalance.Event) {
        let before = rebalance.epoch
        for action in rebalance.handle(event, at: now) { carryOut(action) }
        #expect(rebalance.epoch >= before)
    }

    private mutating func carryOut(_ action: Rebalance.Action) {
        switch action {
        case .plan(let revision, let request): plan = (revision, request)
        case .fill(let number, let fill): workers[fill.worker]?.loading[number] = fill
        case .free(let free):
            let loading = workers[free.worker]?.loading.filter { $0.value.slot == free.slot } ?? [:]
            for number in loading.keys { workers[free.worker]?.loading[number] = nil }
            workers[free.worker]?.resident.remove(free.slot)
        case .publish(let epoch):
            tables[epoch] = rebalance.holdings
            isMissingReported = false
        case .missing(let slots):
            #expect(slots == rebalance.holdings.missing)
            isMissingReported = true
            stranded.formUnion(flights)
        case .answer(let status): #expect(status.phase != "idle")
        case .finished(let request, let outcome): send(.finished(request, outcome))
        }
    }

    private mutating func answerPlan() throws {
        guard let asked = plan else { return }
        plan = nil
        let tokens = (0..<2 * experts).map { _ in Double(Int.random(in: 0...50, using: &generator)) }
        let input = try PolicyInput(
            holdings: rebalance.holdings, stages: stages,
            workers: membership.capacities(leaving: rebalance.leavingCount) { _ in nil },
            loads: ExpertLoads(layers: [3, 4], experts: experts, tokens: tokens), sliceBytes: [100])
        tell(.planned(revision: asked.revision, policy.rearrange(asked.request, input)))
    }

    private mutating func beginFlight() {
        guard rebalance.holdings.isWhole else { return }
        ledger.begin(epoch: rebalance.epoch)
        flights.append(rebalance.epoch)
    }

    private mutating func endFlight() {
        guard let place = flights.indices.randomElement(using: &generator) else { return }
        ledger.end(epoch: flights.remove(at: place))
        reportFlights()
    }

    private mutating func reportFlights() {
        let oldest = ledger.oldest ?? rebalance.epoch
        tables = tables.filter { $0.key >= oldest }
        tell(.flightsEnded(before: oldest))
    }

    /// A worker ends a fill, well or badly.
    private mutating func work() {
        let busy = workers.keys.sorted().filter { workers[$0]?.loading.isEmpty == false }
        guard let worker = busy.randomElement(using: &generator),
            let number = workers[worker]?.loading.keys.min(), let fill = workers[worker]?.loading[number]
        else { return }
        workers[worker]?.loading[number] = nil
        if Int.random(in: 0..<25, using: &generator) == 0 {
            answers.append((worker, .fillFailed(number, reason: "no such file")))
        } else {
            workers[worker]?.resident.insert(fill.slot)
            answers.append((worker, .filled(number)))
        }
    }

    private mutating func deliver() {
        guard !answers.isEmpty else { return }
        tell(answers.removeFirst().event)
    }

    private func check() {
        for (index, worker) in workers {
            #expect(worker.resident.count + worker.loading.count <= worker.capacity, "too much in memory")
            for slot in rebalance.holdings.slots(of: index) {
                #expect(worker.resident.contains(slot), "in the table, not in memory")
            }
            for epoch in Set(flights).subtracting(stranded) {
                guard isSame(index, since: epoch) else { continue }
                for slot in tables[epoch]?.slots(of: index) ?? [] {
                    #expect(worker.resident.contains(slot), "freed under a flight")
                }
            }
        }
        #expect(rebalance.holdings.isWhole || isMissingReported)
        for worker in 0..<membership.members.count where workers[worker] == nil {
            #expect(rebalance.holdings.slotCount(of: worker) == 0)
        }
    }

    /// Whether the worker is the one that it was in that epoch: in every table since it held something of it.
    private func isSame(_ worker: Int, since epoch: UInt32) -> Bool {
        tables.filter { $0.key >= epoch }.allSatisfy { !$0.value.slots(of: worker).isEmpty }
    }

    /// Lets everything come to its end: no flight is left, no slot is leaked, nothing is under way.
    private mutating func settle() throws {
        var rounds = 0
        while rounds < 3000 {
            rounds += 1
            now += .seconds(1)
            while !flights.isEmpty { endFlight() }
            reportFlights()
            try answerPlan()
            work()
            deliver()
            tell(.stepEnded)
            tell(.tick)
            let isIdle = rebalance.status.request == nil || rebalance.status.phase == "failed"
            let isWaiting = rebalance.wake != nil && (rebalance.holdings.isWhole || rounds < 500)
            if isIdle, rebalance.queue.isEmpty, !isWaiting, answers.isEmpty, plan == nil { break }
        }
        #expect(rounds < 3000, "it never comes to rest: \(rebalance.status)")
        check()
        #expect(rebalance.leaving.isEmpty)
        for (index, worker) in workers {
            #expect(worker.loading.isEmpty)
            #expect(worker.resident == Set(rebalance.holdings.slots(of: index)), "a slot is leaked")
        }
        #expect(ledger.oldest == nil)
        let room = membership.capacities { _ in nil }.reduce(0) { $0 + ($1.takesSlots ? $1.slots : 0) }
        #expect(rebalance.holdings.isWhole || (isMissingReported && room < 2 * experts))
    }
}
