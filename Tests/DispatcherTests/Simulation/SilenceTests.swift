import Cluster
import Dispatcher
import Experts
import Kernels
import Logging
import TestSupport
import Testing
import Transport
import Wire

/// Workers that owe answers and do not give them, in a crowd of others whose heartbeats keep the coordinator awake.
@Suite struct SilenceTests {
    enum Victim: CaseIterable {
        /// Stopped, or cut off.
        case hung
        /// Its process lives and its step does not.
        case mute
    }

    private final class Crew: @unchecked Sendable {
        var workers: [SimulatedWorker] = []
    }

    @Test(
        "a worker that gives no answer is taken for lost in time, however many others beat", arguments: Victim.allCases)
    func lost(victim: Victim) throws {
        let time = ManualTime(start: Instant(nanoseconds: 1_000_000_000))
        let (count, shape) = (20, RowShape(hiddenSize: 4, dtype: .f32))
        let placement = try Placement.uniform(
            layers: [1], experts: count, parallelism: Parallelism(tensor: 1, pipeline: 1, workers: count),
            workerWeights: Array(repeating: 1, count: count))
        let crew = Crew()
        crew.workers = (0..<count).map { index in
            SimulatedWorker(
                name: "worker-\(index)", capacity: count, slots: Set(placement.slots(of: index)), shape: shape,
                time: time,
                seed: UInt64(index), firstBeat: .milliseconds(1000 * index / count))
        }
        let giveUp = time.now() + .seconds(60)
        let exchange = InProcessExchange(time: time) { until in
            time.advance(to: min(until, time.now() + .milliseconds(5)))
            if time.now() >= giveUp { crew.workers[3].die() }
            for worker in crew.workers { _ = try? worker.pump() }
        }
        var limits = RemoteExperts.Limits()
        limits.answer = .seconds(8)
        let experts = experts(crew.workers, placement, shape, exchange, time, limits)
        switch victim {
        case .hung: crew.workers[3].hang()
        case .mute: crew.workers[3].weather.isMute.store(true, ordering: .relaxed)
        }
        let routing = Routing(maximumTokens: 1, expertsPerToken: count)
        routing.begin(tokens: 1)
        for expert in 0..<count {
            routing.experts[expert] = Int32(expert)
            routing.weights[expert] = 1
        }
        let start = time.now()
        let (hidden, output) = (AlignedBuffer<Float>(count: 4), AlignedBuffer<Float>(count: 4))
        try withExtendedLifetime((hidden, output)) {
            let flight = try experts.dispatch(hidden.pointer, to: routing, layer: 1)
            try experts.combine(flight, into: output.pointer)
            // What an expert makes of 0 is its number.
            #expect(output.pointer[0] == Float((0..<count).reduce(0, +)))
        }
        let limit: Duration = victim == .hung ? limits.silence : limits.answer
        #expect(time.now() > start + limit && time.now() < start + limit + .seconds(1))
        experts.turn()
        #expect(experts.desk.status.totals.lostWorkers == 1)
    }

    private func experts(
        _ workers: [SimulatedWorker], _ placement: Placement, _ shape: RowShape, _ exchange: InProcessExchange,
        _ time: ManualTime, _ limits: RemoteExperts.Limits
    ) -> RemoteExperts {
        let template = Assignment(
            epoch: 0, modelPath: "/model", modelFingerprint: [], compute: "f32", rowShape: shape,
            tensorParallelSize: 1, maximumRows: 1, slots: [],
            model: ModelShape(
                expertCount: workers.count, expertsPerToken: workers.count, expertWidth: 8, layers: 1..<2, block: nil))
        let members = workers.enumerated().map { index, worker in
            Member(name: worker.name, index: index, stage: 0, state: .ready, offer: .init(slots: worker.capacity))
        }
        return RemoteExperts(
            workers: workers.map { SimulatedWorld.ready($0, template) }, placement: placement,
            control: ControlPlane(
                placement: placement, members: members, sliceBytes: [1],
                statistics: LoadStatistics(layers: [1], experts: workers.count, seconds: 1),
                at: time.now().sinceOrigin),
            exchange: exchange, arrivals: Arrivals { exchange.wake() }, time: time,
            processor: Processor(threads: 1, compute: .f32), shape: shape, expertsPerToken: workers.count,
            maximumTokens: 1, sliceBytes: [1], limits: limits,
            planner: { policy, request, input, answer in answer(policy.rearrange(request, input)) },
            logger: Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() })
    }
}
