import Foundation
import TestSupport
import Testing

/// The same request prints the same bytes, however its experts are spread.
@Suite struct SameBitsTests {
    private static let model = Fixture("tiny-r1-fp8").model

    /// The JSON object and the logits of one run.
    private func bytes(_ scene: Scene, _ arguments: [String]) async throws -> [Data] {
        let dump = scene.path("logits-\(UUID().uuidString)")
        let outcome = try await scene.run(
            [
                "generate", Self.model, "--prompt-ids", "0,5,17,300,42,99,7,8,411,12,13,14,77", "--max-tokens", "8",
                "--ignore-eos", "--json", "--routing", "--top-logprobs", "3", "--dump-logits", dump,
            ] + arguments)
        try #require(outcome.status == 0, "\(arguments): \(outcome)")
        #expect(outcome.error.isEmpty, "\(arguments): \(outcome)")
        return [outcome.output, try Data(contentsOf: URL(fileURLWithPath: dump))]
    }

    /// Runs each variant and expects the bytes of the first.
    private func expectSame(_ variants: [[String]]) async throws {
        try await Scene.play { scene in
            let expected = try await bytes(scene, variants[0])
            for variant in variants.dropFirst() {
                #expect(try await bytes(scene, variant) == expected, "\(variant) and \(variants[0])")
            }
        }
    }

    @Test("over any number of workers", arguments: ["f32", "fast"])
    func workers(_ compute: String) async throws {
        try await expectSame([0, 1, 2, 3, 5, 8].map { ["--local", "\($0)", "--compute", compute] })
    }

    @Test("with converted weights, over any number of workers", arguments: ["int8", "int4"])
    func converted(_ dtype: String) async throws {
        let dtypes = ["--expert-dtype", dtype, "--dense-dtype", dtype]
        try await expectSame([0, 1, 3].map { ["--local", "\($0)"] + dtypes })
        let slices = ["--tensor-parallel-size", "2"]
        try await expectSame([2, 3].map { ["--local", "\($0)"] + slices + dtypes })
    }

    @Test("over any number of workers, however rows travel", arguments: ["f32", "bf16", "fp8"], ["f32", "fast"])
    func wires(_ wire: String, _ compute: String) async throws {
        try await expectSame([0, 2, 3].map { ["--local", "\($0)", "--wire", wire, "--compute", compute] })
    }

    @Test("over one stage or two")
    func stages() async throws {
        try await expectSame(
            [["--local", "0"]] + [2, 3, 5].map { ["--local", "\($0)", "--pipeline-parallel-size", "2"] })
    }

    @Test("with sliced experts, over any number of workers")
    func slices() async throws {
        let slices = ["--tensor-parallel-size", "2"]
        try await expectSame(
            [2, 3, 5].map { ["--local", "\($0)"] + slices }
                + [["--local", "4", "--pipeline-parallel-size", "2"] + slices])
    }

    @Test("in chunks of any size, and from run to run")
    func chunks() async throws {
        try await expectSame(
            [["--local", "2"], ["--local", "2"]]
                + [1, 3, 256].map { ["--local", "2", "--prefill-chunk", "\($0)"] }
                + [["--local", "2", "--prefill-chunk", "3", "--pipeline-parallel-size", "2"]])
    }

    @Test("sampled with a seed")
    func sampled() async throws {
        let sampling = ["--temperature", "0.9", "--top-p", "0.95", "--seed", "11"]
        try await expectSame([0, 3].map { ["--local", "\($0)"] + sampling })
    }
}
