import Kernels
import Serving
import TestSupport
import Testing

@Suite struct ReferenceTests {
    @Test(
        "logits, experts and tokens are the reference's",
        arguments: Fixture.all, [(Compute.f32, Judge.Mode.f32), (Compute.fast, Judge.Mode.bf16)])
    func matches(_ fixture: Fixture, _ arithmetic: (Compute, Judge.Mode)) throws {
        let harness = try EngineHarness(fixture, compute: arithmetic.0)
        let logits = try fixture.referenceLogits()
        var judge = Judge(arithmetic.1)
        for prompt in try fixture.reference().prompts {
            judge.hold(
                try harness.candidate(prompt), against: prompt, last: try #require(logits["\(prompt.name).last"]),
                prediction: logits["\(prompt.name).mtp_last"])
        }
        #expect(judge.verdict() == [])
    }

    @Test("the judge refuses a model whose logits are slightly off")
    func refuses() throws {
        let fixture = Fixture("v2-lite")
        let harness = try EngineHarness(fixture, compute: .f32)
        let prompt = try #require(try fixture.reference().prompts.first)
        let right = try harness.candidate(prompt)
        let wrong = Candidate(
            ids: right.ids, logits: right.logits.enumerated().map { $1 * ($0 % 7 == 3 ? 1.002 : 1) },
            vocabularySize: right.vocabularySize, predictionLogits: [], routing: right.routing)
        var judge = Judge(.f32)
        judge.hold(
            wrong, against: prompt, last: try #require(fixture.referenceLogits()["\(prompt.name).last"]),
            prediction: nil)
        #expect(judge.verdict() != [])
    }
}
