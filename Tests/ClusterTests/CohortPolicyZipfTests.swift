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

    @Test("with 12.5 % redundant slots max / mean is at most 1.05 on a Zipf trace, and never above EPLB's")
    func bars() throws {
        for workers in 4...16 {
            for seed in 1...4 as ClosedRange<UInt64> {
                let trace = RoutingTrace(tokens: 8192, seed: seed)
                let loads = trace.loads(0..<trace.tokens)
                let slots = (288 + workers - 1) / workers
                let input = try Self.input(loads, workers: workers, slots: slots)
                let policy = CohortPolicy(redundantExperts: slots * workers - 256)
                let table = try Self.table(policy.deal(input), workers: workers)
                let eplb = try EPLB(
                    loads: [loads.map(Float.init)],
                    shape: EPLB.Shape(
                        replicas: slots * workers, groups: 1, nodes: 1, workers: workers))
                let eplbTable = try Self.table(eplb.holdings(layers: [3], workers: workers), workers: workers)
                let even = RoutingTrace.maximumOverMean(
                    EPLBTests.workerLoads(eplb, [loads.map(Float.init)], workers: workers)[0].map(Double.init))
                var line = "W \(workers) seed \(seed) eplb even \(even)"
                for batch in [16, 64, 256] {
                    let ours = trace.replay(0..<trace.tokens, batch: batch, table: table, workers: workers)
                    let theirs = trace.replay(0..<trace.tokens, batch: batch, table: eplbTable, workers: workers)
                    line += " | b\(batch) ours \(ours.total) \(ours.perStep) theirs \(theirs.total) \(theirs.perStep)"
                }
                line = line.replacing(/(\d\.\d\d\d\d)\d*/) { $0.output.1 }
                print(line)
            }
        }
    }
}
