import Cluster
import TestSupport
import Testing

@Suite struct ExpertDrawTests {
    /// Draws `chosen` of `experts` without repetition.
    static func draw(_ chosen: Int, of experts: Int, using generator: inout SplitMix) -> [Int] {
        var pool = Array(0..<experts)
        return (0..<chosen).map { index in
            pool.swapAt(index, Int.random(in: index..<experts, using: &generator))
            return pool[index]
        }
    }

    /// One token's choice by R1's router from random scores: the 4 of 8 groups whose two best scores sum highest, then
    /// the 8 best experts in them.
    static func route(using generator: inout SplitMix) -> [Int] {
        let scores = (0..<256).map { _ in Double.random(in: 0..<1, using: &generator) }
        let groups = (0..<8).sorted { left, right in
            func score(_ group: Int) -> Double {
                scores[group * 32..<(group + 1) * 32].sorted(by: >).prefix(2).reduce(0, +)
            }
            return score(left) > score(right)
        }
        let candidates = groups.prefix(4).flatMap { Array($0 * 32..<($0 + 1) * 32) }
        return Array(candidates.sorted { scores[$0] > scores[$1] }.prefix(8))
    }

    @Test(
        "the distinct workers of a token are those of a simulated router within 1.5 %",
        arguments: [(2, 1.99), (4, 3.61), (8, 5.33), (16, 6.56)])
    func distinctWorkers(workers: Int, published: Double) {
        var generator = SplitMix(seed: UInt64(workers))
        let tokens = 4000
        let hits = (0..<tokens).reduce(0) { sum, _ in
            sum + Set(Self.route(using: &generator).map { $0 % workers }).count
        }
        let simulated = Double(hits) / Double(tokens)
        let formula =
            Double(workers) * ExpertDraw.hitProbability(held: 256 / workers, experts: 256, chosen: 8)
        #expect(abs(simulated - published) < 0.04)
        #expect(abs(formula / simulated - 1) < 0.015)
    }

    @Test("the probability of a hit is exact for small numbers")
    func hitProbability() {
        #expect(ExpertDraw.hitProbability(held: 0, experts: 4, chosen: 2) == 0)
        #expect(ExpertDraw.hitProbability(held: 4, experts: 4, chosen: 1) == 1)
        #expect(ExpertDraw.hitProbability(held: 3, experts: 4, chosen: 2) == 1)
        #expect(abs(ExpertDraw.hitProbability(held: 2, experts: 4, chosen: 2) - 5.0 / 6) < 1e-12)
        #expect(ExpertDraw.hitProbability(held: 2, experts: 4, chosen: 0) == 0)
    }

    @Test("a batch touches as many distinct experts as simulated batches do")
    func distinctExperts() {
        var generator = SplitMix(seed: 11)
        for tokens in [1, 8, 64] {
            let runs = 300
            let touched = (0..<runs).reduce(0) { sum, _ in
                let drawn = (0..<tokens).flatMap { _ in Self.draw(8, of: 256, using: &generator) }
                return sum + Set(drawn).count
            }
            let formula = ExpertDraw.expectedDistinct(experts: 256, chosen: 8, tokens: Double(tokens))
            #expect(abs(Double(touched) / Double(runs) / formula - 1) < 0.01)
        }
    }

    @Test("eight experts on eight workers of one speed gain a factor of about 3.15")
    func slowestOfEight() {
        let slowest = ExpertDraw.expectedSlowest(
            held: Array(repeating: 32, count: 8), secondsPerExpert: Array(repeating: 1, count: 8), drawn: 8)
        #expect(abs(8 / slowest - 3.15) < 0.05)
    }

    @Test("the slowest worker takes as long as in simulated draws, for uneven shares and speeds")
    func slowest() {
        var generator = SplitMix(seed: 5)
        let held = [100, 60, 60, 30, 6]
        let seconds = [1, 0.7, 0.9, 2.5, 1]
        let owner = held.enumerated().flatMap { Array(repeating: $0.offset, count: $0.element) }
        for drawn in [1, 8, 57, 200, 256] {
            let runs = 4000
            var sum = 0.0
            for _ in 0..<runs {
                var counts = Array(repeating: 0, count: held.count)
                for expert in Self.draw(drawn, of: 256, using: &generator) { counts[owner[expert]] += 1 }
                sum += zip(counts, seconds).map { Double($0) * $1 }.max() ?? 0
            }
            let formula = ExpertDraw.expectedSlowest(held: held, secondsPerExpert: seconds, drawn: Double(drawn))
            #expect(abs(sum / Double(runs) / formula - 1) < 0.02, "\(drawn)")
        }
        #expect(ExpertDraw.expectedSlowest(held: held, secondsPerExpert: seconds, drawn: 0) == 0)
    }

    @Test("between whole numbers of experts the time is interpolated, and very many experts are dealt with")
    func slowestEdges() {
        func slowest(_ drawn: Double) -> Double {
            ExpertDraw.expectedSlowest(held: [4, 4], secondsPerExpert: [1, 1], drawn: drawn)
        }
        #expect(abs(slowest(2.5) - (slowest(2) + slowest(3)) / 2) < 1e-12)
        for (drawn, expected) in [(8.0, 4.0), (1, 1), (99, 4)] { #expect(abs(slowest(drawn) - expected) < 1e-9) }
        let many = ExpertDraw.expectedSlowest(held: [40_000, 20_000], secondsPerExpert: [1, 1], drawn: 600)
        #expect(abs(many - 400) < 1e-9)
    }
}
