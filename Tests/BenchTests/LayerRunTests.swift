import Bench
import Testing

@Suite struct LayerRunTests {
    private static let trace = RoutingTrace(
        experts: 4, expertsPerToken: 2, layers: [[0, 1, 2, 3, 1, 2, 3, 0]])

    @Test("the parts of a dispatch are told apart, the first one is not counted, and each has other experts")
    func parts() throws {
        let experts = FakeExperts(pause: (0.002, 0.004))
        var busy = [0.0, 0.0]
        let run = LayerRun(experts: experts, layer: 7, trace: Self.trace, tokens: 1, hiddenSize: 2) {
            defer { busy = [busy[0] + 0.001, busy[1] + 0.003] }
            return busy
        }
        let outcome = try run.measure(Stopwatch(seconds: 0, leastRepetitions: 3))
        #expect(experts.asked.map(\.layer) == [7, 7, 7, 7])
        #expect(experts.asked.map(\.experts) == [[0, 1], [2, 3], [1, 2], [3, 0]])
        #expect(outcome.whole.count == 3 && outcome.way.count == 3)
        #expect(outcome.whole.quantile(0) >= 0.006)
        // The clock of the workers goes on by the slower one's 3 ms between two looks.
        #expect(abs(outcome.experts.median - 0.003) < 1e-12)
        #expect(abs(outcome.way.total - (outcome.whole.total - 0.009)) < 1e-12)
    }

    @Test("outcomes of several turns are put together")
    func turns() {
        let one = LayerRun.Outcome(whole: [5], experts: [3])
        let sum = one + LayerRun.Outcome(whole: [9, 10], experts: [4, 6])
        #expect(sum.whole.total == 24 && sum.experts.total == 13)
        #expect(sum.way.count == 3 && sum.way.median == 4)
    }
}
