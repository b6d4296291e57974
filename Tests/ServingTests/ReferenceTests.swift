import Checkpoint
import Foundation
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

    @Test("a model that transformers 5 has saved is the same, though it names an MTP layer that it does not have")
    func savedByTransformers() throws {
        let fixture = Fixture("qnull-norope")
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("saved-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder.path)/model.safetensors", withDestinationPath: "\(fixture.model)/model.safetensors")
        let published = try JSONSerialization.jsonObject(
            with: Data(contentsOf: URL(fileURLWithPath: "\(fixture.model)/config.json")))
        var config = try #require(published as? [String: Any])
        config["rope_parameters"] = ["rope_type": "default", "rope_theta": config["rope_theta"]]
        config["num_nextn_predict_layers"] = 1
        for name in ["scoring_func", "topk_method", "rope_theta", "rope_scaling", "moe_layer_freq"] {
            config[name] = nil
        }
        try JSONSerialization.data(withJSONObject: config).write(to: folder.appendingPathComponent("config.json"))
        let saved = try EngineHarness(Checkpoint(folder: folder.path), compute: .f32)
        let prompt = try #require(try fixture.reference().prompts.first)
        let (candidate, same) = (
            try saved.candidate(prompt), try EngineHarness(fixture, compute: .f32).candidate(prompt)
        )
        #expect(candidate.ids == same.ids && candidate.logits == same.logits)
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
