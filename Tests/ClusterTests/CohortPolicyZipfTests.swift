import Bench
import Cluster
import Foundation
import Testing

@Suite struct CohortPolicyZipfTests {
    static func input(_ loads: [Double], workers: Int, slots: Int) throws -> PolicyInput {
        try PolicyInput(
            holdings: Holdings(layers: [3], experts: loads.count, tensor: 1),
            stages: [Stage(index: 0, layers: [3], workers: 0..<workers)],
            workers: (0..<workers).map { WorkerCapacity(index: $0, slots: slots) },
            loads: ExpertLoads(layers: [3], experts: loads.count, tokens: loads), sliceBytes: [44_000_000])
    }

    static func table(_ holdings: Holdings, workers: Int) throws -> SlotTable {
        try holdings.placement(
            epoch: 1, parallelism: Parallelism(tensor: 1, pipeline: 1, workers: workers),
            stages: [Stage(index: 0, layers: [3], workers: 0..<workers)]
        ).table(layer: 3)
    }

    struct Measure {
        var total = 0.0
        var perStep = 0.0
    }

    @Test(
        "with 12.5 % redundant slots max / mean is at most 1.05 on Zipf traces, and never above EPLB's",
        arguments: 4...16)
    func bars(workers: Int) throws {
        let slots = (288 + workers - 1) / workers
        let policy = CohortPolicy(redundantExperts: slots * workers - 256)
        var (ours, theirs) = (Measure(), Measure())
        for seed in 1...4 as ClosedRange<UInt64> {
            let trace = RoutingTrace(tokens: 8192, seed: seed)
            let loads = trace.loads(0..<trace.tokenCount)
            var input = try Self.input(loads, workers: workers, slots: slots)
            input.holdings = try policy.deal(input)
            let eplb = try EPLB(
                loads: [loads.map(Float.init)],
                shape: EPLB.Shape(replicas: slots * workers, groups: 1, nodes: 1, workers: workers))
            let published = RoutingTrace.maximumOverMean(
                EPLBTests.workerLoads(eplb, [loads.map(Float.init)], workers: workers)[0].map(Double.init))
            #expect(Balance(input).maximumOverMean <= published)
            let mine = trace.replay(
                0..<8192, batch: 256, table: try Self.table(input.holdings, workers: workers), workers: workers)
            #expect(mine.total <= 1.05 && mine.total <= published && mine.perStep <= 1.05)
            let other = trace.replay(
                0..<8192, batch: 256,
                table: try Self.table(eplb.holdings(layers: [3], workers: workers), workers: workers), workers: workers)
            ours.total += mine.total / 4
            ours.perStep += mine.perStep / 4
            theirs.total += other.total / 4
            theirs.perStep += other.perStep / 4
        }
        #expect(ours.total <= theirs.total + 1e-4 && ours.perStep <= theirs.perStep + 1e-4)
    }

    @Test("a plan made on one half of a trace holds on the other half, and from a uniform placement within a budget")
    func incremental() throws {
        for workers in [4, 8, 16] {
            let trace = RoutingTrace(tokens: 8192, seed: 21)
            var input = try Self.input(trace.loads(0..<4096), workers: workers, slots: 288 / workers)
            let policy = CohortPolicy(redundantExperts: 32, budgetBytes: 60 * 44_000_000)
            var uniform = input
            uniform.loads = .none(layers: [3], experts: 256)
            input.holdings = try policy.deal(uniform)
            let before = trace.replay(
                4096..<8192, batch: 64, table: try Self.table(input.holdings, workers: workers), workers: workers)
            let way = policy.rebalance(input)
            for change in way.changes { input.holdings.apply(change) }
            let after = trace.replay(
                4096..<8192, batch: 64, table: try Self.table(input.holdings, workers: workers), workers: workers)
            #expect(way.byteCount <= 60 * 44_000_000 && after.total <= 1.05 && after.total < before.total)
        }
    }
}
