import Bench
import Cluster
import TestSupport
import Testing

@Suite struct ReplicaChooserTests {
    /// A table of `experts` x `tensor` rows with one to four holders each.
    static func table(
        experts: Int, tensor: Int, workers: Int, using generator: inout SplitMix
    ) throws -> SlotTable {
        var holders: [[Int]] = []
        for _ in 0..<experts {
            var pool = Array(0..<workers).shuffled(using: &generator)
            for rank in 0..<tensor {
                let spare = pool.count - (tensor - rank)
                let count = 1 + Int.random(in: 0...min(3, spare), using: &generator)
                holders.append(Array(pool.prefix(count)))
                pool.removeFirst(count)
            }
        }
        return try Placement(
            epoch: 1, parallelism: Parallelism(tensor: tensor, pipeline: 1, workers: workers),
            stages: [Stage(index: 0, layers: [0], workers: 0..<workers)], experts: experts
        ) { holders[$0.expert * tensor + $0.rank] }.table(layer: 0)
    }

    @Test("every pair goes to a holder, the loads add up, and the same batches give the same choice")
    func holders() throws {
        var generator = SplitMix(seed: 1)
        for _ in 0..<60 {
            let tensor = Int.random(in: 1...3, using: &generator)
            let workers = Int.random(in: 4...20, using: &generator)
            let table = try Self.table(experts: 32, tensor: tensor, workers: workers, using: &generator)
            let speeds = (0..<workers).map { _ in Double.random(in: 0.5...2, using: &generator) }
            var (chooser, twin) = (ReplicaChooser(speeds: speeds), ReplicaChooser(speeds: speeds))
            for tokens in [0, 1, 7, 64] {
                let trace = RoutingTrace(
                    experts: 32, expertsPerToken: 4, tokens: tokens, seed: generator.next())
                var chosen = [Int32](repeating: -1, count: tokens * 4 * tensor)
                var again = chosen
                chooser.choose(experts: trace.experts, tokens: tokens, expertsPerToken: 4, table: table, into: &chosen)
                twin.choose(experts: trace.experts, tokens: tokens, expertsPerToken: 4, table: table, into: &again)
                #expect(chosen == again)
                var loads = [Int32](repeating: 0, count: workers)
                for (pair, expert) in trace.experts.enumerated() {
                    for rank in 0..<tensor {
                        let worker = chosen[pair * tensor + rank]
                        #expect(table[Int(expert) * tensor + rank].contains(worker))
                        loads[Int(worker)] += 1
                    }
                }
                #expect(loads == chooser.loads)
            }
        }
    }

    /// The least possible peak by trying every choice.
    static func leastPeak(_ rows: [[Int]], workers: Int) -> Int {
        var least = Int.max
        func descend(_ row: Int, _ loads: [Int]) {
            if (loads.max() ?? 0) >= least { return }
            if row == rows.count {
                least = loads.max() ?? 0
                return
            }
            for worker in rows[row] {
                var next = loads
                next[worker] += 1
                descend(row + 1, next)
            }
        }
        descend(0, Array(repeating: 0, count: workers))
        return least
    }

    @Test("the busiest worker has at most one token more than the best of all choices")
    func optimal() throws {
        var generator = SplitMix(seed: 9)
        var excess = 0
        for _ in 0..<300 {
            let table = try Self.table(experts: 12, tensor: 1, workers: 5, using: &generator)
            let trace = RoutingTrace(experts: 12, expertsPerToken: 3, tokens: 4, seed: generator.next())
            var chooser = ReplicaChooser(speeds: Array(repeating: 1, count: 5))
            var chosen = [Int32](repeating: 0, count: 12)
            chooser.choose(experts: trace.experts, tokens: 4, expertsPerToken: 3, table: table, into: &chosen)
            let least = Self.leastPeak(trace.experts.map { table[Int($0)].map(Int.init) }, workers: 5)
            let peak = Int(chooser.loads.max()!)
            #expect(peak <= least + 1)
            excess += peak - least
        }
        #expect(excess <= 15)
    }

    @Test("with a replica everywhere the workers' times differ by one token, whatever their speeds")
    func speeds() throws {
        let speeds = [1, 2, 0.5, 1.5]
        let table = try Placement(
            epoch: 1, parallelism: Parallelism(tensor: 1, pipeline: 1, workers: 4),
            stages: [Stage(index: 0, layers: [0], workers: 0..<4)], experts: 16
        ) { _ in [0, 1, 2, 3] }.table(layer: 0)
        let trace = RoutingTrace(experts: 16, expertsPerToken: 4, tokens: 100, seed: 4)
        var chooser = ReplicaChooser(speeds: speeds)
        var chosen = [Int32](repeating: 0, count: 400)
        chooser.choose(experts: trace.experts, tokens: 100, expertsPerToken: 4, table: table, into: &chosen)
        for (worker, speed) in speeds.enumerated() {
            #expect(abs(Double(chooser.loads[worker]) - 400 * speed / 5) <= 2)
        }
    }

    /// A table of rows that all workers hold.
    private static func everywhere(experts: Int, workers: Int) throws -> SlotTable {
        try Placement(
            epoch: 1, parallelism: Parallelism(tensor: 1, pipeline: 1, workers: workers),
            stages: [Stage(index: 0, layers: [0], workers: 0..<workers)], experts: experts
        ) { _ in Array(0..<workers) }.table(layer: 0)
    }

    @Test("where reading weights costs, an expert's few tokens go to one worker and every worker reads as many experts")
    func reading() throws {
        let table = try Self.everywhere(experts: 256, workers: 4)
        for (tokens, seed) in [(1, 3), (8, 4), (32, 5), (256, 6)] {
            let trace = RoutingTrace(experts: 256, expertsPerToken: 8, tokens: tokens, seed: UInt64(seed))
            var chooser = ReplicaChooser(speeds: [1, 1, 1, 1], readingTokens: 8)
            var chosen = [Int32](repeating: 0, count: tokens * 8)
            chooser.choose(experts: trace.experts, tokens: tokens, expertsPerToken: 8, table: table, into: &chosen)
            var readers = [Int32: Set<Int32>](), work = [0, 0, 0, 0]
            for (expert, worker) in zip(trace.experts, chosen) {
                work[Int(worker)] += readers[expert, default: []].insert(worker).inserted ? 9 : 1
            }
            let counts = Dictionary(grouping: trace.experts) { $0 }
            let divided = readers.filter { $0.value.count > 1 }.keys
            #expect(divided.allSatisfy { counts[$0, default: []].count >= 64 })
            // Nothing larger than an expert of few tokens could level them further.
            #expect(work.max()! - work.min()! <= 8 + (counts.values.map(\.count).filter { $0 < 64 }.max() ?? 0))
        }
    }

    @Test("an expert of many tokens is divided also where reading weights costs")
    func hot() throws {
        let table = try Self.everywhere(experts: 16, workers: 4)
        var chooser = ReplicaChooser(speeds: [1, 1, 1, 1], readingTokens: 8)
        var chosen = [Int32](repeating: 0, count: 400)
        chooser.choose(
            experts: Array(repeating: 3, count: 400), tokens: 400, expertsPerToken: 1, table: table, into: &chosen)
        #expect(chooser.loads == [100, 100, 100, 100])
    }

    @Test("choosing for 256 tokens x 8 experts takes well below 0.1 ms")
    func cost() throws {
        let trace = RoutingTrace(tokens: 256, seed: 8)
        for workers in [4, 8, 16] {
            let input = try CohortPolicyZipfTests.input(
                trace.loads(0..<256), workers: workers, slots: 288 / workers)
            let table = try CohortPolicyZipfTests.table(
                CohortPolicy().deal(input), workers: workers)
            var chooser = ReplicaChooser(speeds: Array(repeating: 1, count: workers))
            var chosen = [Int32](repeating: 0, count: 2048)
            var least = Duration.seconds(1)
            for _ in 0..<200 {
                let time = ContinuousClock().measure {
                    chooser.choose(
                        experts: trace.experts, tokens: 256, expertsPerToken: 8, table: table, into: &chosen)
                }
                least = min(least, time)
            }
            #expect(least < .microseconds(100))
        }
    }
}
