import Checkpoint
import Kernels
import Serving
import TestSupport
import Testing

/// The same request gives the same bits, whatever happens around it.
@Suite struct InvarianceTests {
    private static let request = GenerationRequest(
        promptIDs: [0, 5, 17, 300, 42, 99, 7, 8, 411, 12, 13, 14, 77], maximumTokens: 12, topCount: 4,
        keeps: [.logits, .routing])

    private static func others() -> [GenerationRequest] {
        var generator = SplitMix(seed: 7)
        return (0..<9).map { index in
            let ids = (0..<(1 + index * 5)).map { _ in Int.random(in: 0..<500, using: &generator) }
            let sampling = SamplingParameters(temperature: index % 2 == 0 ? 0 : 0.8, topP: 0.9, seed: UInt64(index))
            return GenerationRequest(promptIDs: ids, maximumTokens: 3 + index * 2, sampling: sampling)
        }
    }

    private func expectSame(_ sequence: GenerationSequence, _ expected: GenerationSequence, _ what: Comment) {
        #expect(sequence.steps == expected.steps, what)
        #expect(sequence.record.logits == expected.record.logits, what)
    }

    @Test("in company and alone", arguments: Fixture.all, Compute.allCases)
    func company(_ fixture: Fixture, _ compute: Compute) throws {
        let harness = try EngineHarness(fixture, compute: compute)
        let alone = try harness.run([Self.request])[0]
        let together = try harness.run(Self.others() + [Self.request], prefillChunk: 40)
        expectSame(together[9], alone, "in company")
        let other = try harness.run([Self.others()[7]])[0]
        #expect(together[7].steps == other.steps, "a sampled neighbour")
    }

    @Test("in chunks of any size", arguments: Fixture.all, Compute.allCases)
    func chunks(_ fixture: Fixture, _ compute: Compute) throws {
        let harness = try EngineHarness(fixture, compute: compute)
        let whole = try harness.run([Self.request])[0]
        for chunk in [1, 2, 3, 5, 8, 12, 13] {
            expectSame(try harness.run([Self.request], prefillChunk: chunk)[0], whole, "chunks of \(chunk)")
        }
    }

    @Test(
        "with weights held as INT8, and as INT8 and INT4 that read the same rows, in company and in chunks",
        arguments: Fixture.all, [HeldDType.int8, .int4])
    func converted(_ fixture: Fixture, _ dense: HeldDType) throws {
        for compute in Compute.allCases {
            let held = HeldDTypes(expert: .int8, dense: dense)
            let harness = try EngineHarness(fixture, compute: compute, held: held)
            let whole = try harness.run([Self.request])[0]
            let together = try harness.run(Self.others() + [Self.request], prefillChunk: 40)
            expectSame(together[9], whole, "in company")
            for chunk in [1, 5, 12] {
                expectSame(try harness.run([Self.request], prefillChunk: chunk)[0], whole, "chunks of \(chunk)")
            }
            let threads = try EngineHarness(fixture, compute: compute, held: held, threads: 3)
            expectSame(try threads.run([Self.request])[0], whole, "3 threads")
        }
    }

    @Test("on any number of threads, from run to run")
    func threads() throws {
        let fixture = Fixture("tiny-r1-fp8")
        let first = try EngineHarness(fixture, compute: .fast, threads: 1).run([Self.request])[0]
        for threads in [1, 2, 3, 4] {
            let again = try EngineHarness(fixture, compute: .fast, threads: threads).run([Self.request])[0]
            expectSame(again, first, "\(threads) threads")
        }
    }
}
