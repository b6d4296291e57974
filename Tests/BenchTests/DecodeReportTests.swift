import Bench
import Testing

@Suite struct DecodeReportTests {
    private static let run = DecodeRun(batch: 2, promptLength: 10, stepCount: 4)

    private static func outcome(prefill: [Double], turns: [(seconds: [Double], bandwidth: Double)]) -> DecodeOutcome {
        var outcome = DecodeOutcome()
        outcome.prefillSeconds = prefill
        outcome.turns = turns.map {
            .init(stepSeconds: $0.seconds, stepBytes: $0.seconds.map { _ in 10 }, readBandwidth: $0.bandwidth)
        }
        return outcome
    }

    @Test("A turn is held against the bandwidth around it, whatever the others saw")
    func limitShare() {
        let outcome = Self.outcome(
            prefill: [5, 4, 10], turns: [([2, 2], 10), ([4, 4], 5), ([1, 1], 40)])
        let line = DecodeReport.Line(local: 0, run: Self.run, outcome: outcome, baseline: nil)
        #expect(line.limitShare == 0.5)
        #expect(line.readBandwidth.median == 10)
        #expect(line.stepSeconds.median == 2)
        #expect(line.decodeTokensPerSecond.median == 1)
        #expect(line.prefillTokensPerSecond?.median == 4)
        #expect(line.decodeRatio == nil && line.prefillRatio == nil)
    }

    @Test("Workers are held against the experts in this process turn by turn")
    func ratios() {
        let here = Self.outcome(prefill: [1, 2, 3], turns: [([1, 2], 1), ([4, 4], 1), ([1], 1)])
        let workers = Self.outcome(prefill: [2, 2, 4], turns: [([3, 3], 1), ([8, 8], 1), ([1], 1)])
        let line = DecodeReport.Line(local: 4, run: Self.run, outcome: workers, baseline: here)
        #expect(line.decodeRatio == 0.5)
        #expect(line.prefillRatio == 0.75)
        let invented = DecodeRun(batch: 2, promptLength: 10, isInvented: true, stepCount: 4)
        let withoutPrompts = DecodeReport.Line(local: 4, run: invented, outcome: workers, baseline: here)
        #expect(withoutPrompts.prefillRatio == nil && withoutPrompts.prefillTokensPerSecond == nil)
        #expect(withoutPrompts.decodeRatio == 0.5)
    }
}
