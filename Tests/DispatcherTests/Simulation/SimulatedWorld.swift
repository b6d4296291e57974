import Cluster
import Dispatcher
import Experts
import Kernels
import Logging
import Synchronization
import TestSupport
import Testing
import Transport
import Wire

/// A coordinator's experts and their workers in one thread, on in-process links with seeded delays, while workers die,
/// hang, slow down, come back, join, are drained and removed, and rebalances run. The clock moves only when somebody
/// waits.
final class SimulatedWorld {
    /// What may happen, and how often in a thousand waits.
    struct Chaos {
        var deaths = 4
        var hangs = 2
        var slowness = 4
        var joins = 6
        var returns = 10
        var drains = 3
        var removals = 1
        var rebalances = 6
    }

    static let shape = RowShape(hiddenSize: 4, dtype: .f32)
    private static let maximumTokens = 6
    private static let expertsPerToken = 3

    let layers: [Int]
    private(set) var workers: [SimulatedWorker] = []
    /// What happened, once the world has come to rest.
    private(set) var totals = ClusterStatus.Totals()
    private let seed: UInt64
    private let time = ManualTime(start: Instant(nanoseconds: 1_000_000_000))
    private let expertCount: Int
    private let tensor: Int
    private let placement: Placement
    private let template: Assignment
    private let slotCount: Int
    private let arrivals: Arrivals
    private let sum: AnswerSum
    private var generator: SplitMix
    private var chaos: Chaos?
    private var nameCount = 0
    private var quiet = 0
    private let experts: RemoteExperts

    init(seed: UInt64, chaos: Chaos = Chaos()) throws {
        self.seed = seed
        var generator = SplitMix(seed: seed)
        expertCount = Int.random(in: 4...9, using: &generator)
        tensor = Int.random(in: 1...2, using: &generator)
        let pipeline = Int.random(in: 1...2, using: &generator)
        layers = pipeline == 1 ? [1, 2] : [1, 2, 3]
        let fewest = (tensor + 1) * pipeline
        let count = Int.random(in: fewest...fewest + 3, using: &generator)
        let parallelism = try Parallelism(tensor: tensor, pipeline: pipeline, workers: count)
        placement = try Placement.uniform(
            layers: layers, experts: expertCount, parallelism: parallelism,
            workerWeights: Array(repeating: 1, count: count))
        slotCount = layers.count * expertCount * tensor
        template = Assignment(
            epoch: 0, modelPath: "/model", modelFingerprint: [], compute: "f32", rowShape: Self.shape,
            tensorParallelSize: tensor, maximumRows: Self.maximumTokens, slots: [],
            model: ModelShape(
                expertCount: expertCount, expertsPerToken: Self.expertsPerToken, expertWidth: 8, layers: 1..<4,
                block: nil))
        let processor = Processor(threads: 1, compute: .f32)
        sum = AnswerSum(
            processor: processor, hiddenSize: Self.shape.hiddenSize, rankCount: tensor,
            maximumTokens: Self.maximumTokens, exchange: .f32)
        let world = Reference()
        let exchange = InProcessExchange(time: time) { until in world.value?.pass(until: until) }
        arrivals = Arrivals { exchange.wake() }
        self.generator = generator
        var settings = ControlPlane.Settings()
        let policy = CohortPolicy(
            redundantExperts: [nil, 0, 1].randomElement(using: &self.generator)!, threshold: 0.01)
        settings.policy =
            Int.random(in: 0..<4, using: &self.generator) == 0
            ? .deepseek(DeepSeekPolicy(incremental: policy)) : .cohort(policy)
        settings.rebalanceInterval = .milliseconds(300)
        settings.throttle = FillThrottle(maximumPerWorker: Int.random(in: 1...8, using: &self.generator))
        let workers = Self.workers(placement, capacity: slotCount, time: time, seed: seed)
        self.workers = workers
        let ready = workers.map { [template] in Self.ready($0, template) }
        let members = ready.enumerated().map { [placement] index, worker in
            Member(
                name: worker.seat.name, index: index,
                stage: placement.stages.first { $0.workers.contains(index) }?.index ?? 0, state: .ready,
                offer: .init(slots: workers[index].capacity))
        }
        let sliceBytes = Array(repeating: 1, count: tensor)
        experts = RemoteExperts(
            workers: ready, placement: placement,
            control: ControlPlane(
                placement: placement, members: members, sliceBytes: sliceBytes,
                statistics: LoadStatistics(layers: layers, experts: expertCount, seconds: 1), settings: settings,
                at: time.now().sinceOrigin),
            exchange: exchange, arrivals: arrivals, time: time, processor: processor, shape: Self.shape,
            expertsPerToken: Self.expertsPerToken, maximumTokens: Self.maximumTokens, sliceBytes: sliceBytes,
            limits: Self.limits(seed),
            planner: { policy, request, input, answer in answer(policy.rearrange(request, input)) },
            logger: Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() })
        self.chaos = chaos
        world.value = self
    }

    /// With every other seed the workers share the step's processors, and whatever can be kept back is.
    private static func limits(_ seed: UInt64) -> RemoteExperts.Limits {
        var limits = RemoteExperts.Limits()
        limits.sharesProcessors = seed % 2 == 1
        limits.portionExperts = 0
        return limits
    }

    /// Runs steps of all layers, with rests between them, and checks every result against what was asked.
    func run(steps: Int) throws {
        for _ in 0..<steps {
            try step()
            experts.turn()
            if Int.random(in: 0..<4, using: &generator) == 0 {
                experts.rest(until: time.now() + .milliseconds(Int.random(in: 1...400, using: &generator)))
            }
        }
        try settle()
    }

    private func step() throws {
        let isPipelined = placement.stages.count > 1 && Bool.random(using: &generator)
        let batches = (0..<(isPipelined ? 2 : 1)).map { _ in batch() }
        for layer in layers {
            let flights = try batches.map { try experts.dispatch($0.hidden.pointer, to: $0.routing, layer: layer) }
            for (batch, flight) in zip(batches, flights) {
                let output = AlignedBuffer<Float>(count: batch.hidden.count)
                try withExtendedLifetime((output, batch)) {
                    try experts.combine(flight, into: output.pointer)
                    let found = Array(UnsafeBufferPointer(start: output.pointer, count: output.count))
                    #expect(found == expected(batch, layer: layer), "seed \(seed), layer \(layer)")
                }
            }
        }
    }

    private typealias Asked = (hidden: AlignedBuffer<Float>, routing: Routing)

    private func batch() -> Asked {
        let tokens = Int.random(in: 1...Self.maximumTokens, using: &generator)
        let hidden = AlignedBuffer<Float>(count: tokens * Self.shape.hiddenSize)
        for index in 0..<hidden.count { hidden.pointer[index] = Float.random(in: -2...2, using: &generator) }
        let routing = Routing(maximumTokens: tokens, expertsPerToken: Self.expertsPerToken)
        routing.begin(tokens: tokens)
        for token in 0..<tokens {
            // Low numbers are the hot ones.
            var chosen: Set<Int> = []
            while chosen.count < Self.expertsPerToken {
                chosen.insert(
                    min(
                        Int.random(in: 0..<expertCount, using: &generator),
                        Int.random(in: 0..<expertCount, using: &generator)))
            }
            for (slot, expert) in chosen.sorted().enumerated() {
                routing.experts[token * Self.expertsPerToken + slot] = Int32(expert)
                routing.weights[token * Self.expertsPerToken + slot] = Float.random(in: 0...1, using: &generator)
            }
        }
        return (hidden, routing)
    }

    private func expected(_ batch: Asked, layer: Int) -> [Float] {
        let width = Self.shape.hiddenSize
        var answers: [Float] = []
        for pair in 0..<batch.routing.pairCount {
            for rank in 0..<tensor {
                let slot = Slot(layer: layer, expert: Int(batch.routing.experts[pair]), rank: rank)
                for column in 0..<width {
                    let value = batch.hidden.pointer[pair / Self.expertsPerToken * width + column]
                    answers.append(SimulatedWorker.answer(slot, value))
                }
            }
        }
        let output = AlignedBuffer<Float>(count: batch.hidden.count)
        return withExtendedLifetime(output) {
            answers.withUnsafeBytes { bytes in
                let size = width * MemoryLayout<Float>.stride
                let places = stride(from: 0, to: bytes.count, by: size).map { bytes.baseAddress! + $0 }
                sum.add(places, routing: batch.routing, into: output.pointer)
            }
            return Array(UnsafeBufferPointer(start: output.pointer, count: output.count))
        }
    }

    /// Whether nothing is under way, and everybody holds what the coordinator believes.
    private var isAtRest: Bool {
        let (status, placement) = (experts.desk.status, experts.desk.placement)
        guard !status.migration.isUnderWay, status.missingSlots == 0 else { return false }
        return workers.filter { $0.state == .alive }.allSatisfy { worker in
            guard let index = status.workers.firstIndex(where: { $0.name == worker.name }) else { return false }
            return worker.isIdle && worker.slots == Set(placement.slots(of: index))
        }
    }

    /// Lets everything come to its end and looks whether it is as the coordinator believes.
    private func settle() throws {
        chaos = nil
        for worker in workers {
            worker.wakeUp()
            worker.weather.slowness.store(1, ordering: .relaxed)
        }
        let end = time.now() + .seconds(60)
        repeat { experts.rest(until: time.now() + .milliseconds(50)) } while time.now() < end && !isAtRest
        let status = experts.desk.status
        #expect(status.missingSlots == 0 && status.migration.queue.isEmpty, "seed \(seed): \(status.migration)")
        #expect(["idle", "failed"].contains(status.migration.phase), "seed \(seed): \(status.migration)")
        let placement = experts.desk.placement
        #expect(placement.epoch == status.epoch, "seed \(seed)")
        for worker in workers where worker.state == .alive {
            let index = try #require(status.workers.firstIndex { $0.name == worker.name }, "seed \(seed)")
            #expect(worker.isIdle, "seed \(seed)")
            #expect(
                worker.slots == Set(placement.slots(of: index)), "seed \(seed): \(worker.name) leaks or lacks slots")
        }
        totals = status.totals
    }
}

// Time and chance.
extension SimulatedWorld {
    private final class Reference: @unchecked Sendable {
        weak var value: SimulatedWorld?
    }

    /// Moves the clock a little, and lets everybody do what is due.
    private func pass(until: Instant) {
        strike()
        let step = Duration.microseconds(Int.random(in: 20...200, using: &generator) << min(quiet, 8))
        time.advance(to: min(until, time.now() + step))
        var isAny = false
        for worker in workers {
            do { if try worker.pump() { isAny = true } } catch { Issue.record("seed \(seed): \(error)") }
        }
        quiet = isAny ? 0 : quiet + 1
    }

    private func strike() {
        guard let chaos else { return }
        func happens(_ rate: Int) -> Bool { Int.random(in: 0..<1000, using: &generator) < rate }
        let alive = workers.filter { $0.state == .alive }
        if happens(chaos.deaths), let victim = victim() { victim.die() }
        if happens(chaos.hangs), let victim = victim() { victim.hang() }
        if happens(chaos.slowness), let victim = alive.randomElement(using: &generator) {
            victim.weather.slowness.store([1, 30, 400].randomElement(using: &generator)!, ordering: .relaxed)
        }
        if happens(chaos.returns), let lost = workers.filter({ $0.state != .alive }).randomElement(using: &generator) {
            lost.die()
            workers.removeAll { $0 === lost }
            join(name: lost.name)
        }
        if happens(chaos.joins), alive.count < 7 { join(name: "new-\(nameCount)") }
        if happens(chaos.rebalances) { experts.desk.ask(.rebalance) { _ in } }
        if happens(chaos.drains), let worker = alive.randomElement(using: &generator) {
            experts.desk.ask(.drain(name: worker.name)) { _ in }
        }
        if happens(chaos.removals), let worker = victim() { experts.desk.ask(.remove(name: worker.name)) { _ in } }
    }

    /// A worker that the others of its stage can do without.
    private func victim() -> SimulatedWorker? {
        let status = experts.desk.status
        let members = Dictionary(status.workers.map { ($0.name, $0) }) { $1 }
        let present = workers.filter { $0.state == .alive && members[$0.name]?.state == "ready" }
        return present.shuffled(using: &generator).first { worker in
            let stage = members[worker.name]?.stage
            let others = present.filter { $0 !== worker && members[$0.name]?.stage == stage }
            return others.count >= tensor
        }
    }

    private func join(name: String) {
        nameCount += 1
        let worker = SimulatedWorker(
            name: name, capacity: slotCount, slots: [], shape: Self.shape, time: time,
            seed: generator.next())
        workers.append(worker)
        arrivals.add(Self.ready(worker, template))
    }

    private static func workers(
        _ placement: Placement, capacity: Int, time: ManualTime, seed: UInt64
    ) -> [SimulatedWorker] {
        (0..<placement.parallelism.workers).map { index in
            SimulatedWorker(
                name: "worker-\(index)", capacity: capacity, slots: Set(placement.slots(of: index)),
                shape: shape, time: time, seed: seed << 8 | UInt64(index))
        }
    }

    static func ready(_ worker: SimulatedWorker, _ template: Assignment) -> ReadyWorker {
        ReadyWorker(
            seat: WorkerSeat(name: worker.name, assignment: template, weightBytes: 0), link: worker.theirs,
            description: WorkerDescription(
                name: worker.name, memoryBytes: worker.capacity, coreCount: 1, kernelSet: "scalar", processID: 1),
            report: ReadyReport(
                loadedBytes: 0, residentBytes: 0, expertSlots: worker.slots.count, readsCheckpoint: true))
    }
}
