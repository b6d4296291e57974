import Foundation
import TestSupport
import Testing

/// What the processes hold in memory.
@Suite struct MemoryTests {
    /// A checkpoint with 50 MB of experts.
    private func checkpoint(_ scene: Scene) async throws -> String {
        let file = URL(fileURLWithPath: "\(Fixture("tiny-r1-fp8").model)/config.json")
        var config = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        config["hidden_size"] = 2048
        config["moe_intermediate_size"] = 256
        config["n_routed_experts"] = 16
        config["num_nextn_predict_layers"] = 0
        try JSONSerialization.data(withJSONObject: config).write(to: URL(fileURLWithPath: scene.path("config.json")))
        let outcome = try await scene.run(["synth", scene.path("config.json"), scene.path("model"), "--dtype", "fp8"])
        try #require(outcome.status == 0, "\(outcome)")
        return scene.path("model")
    }

    /// The most megabytes that a worker says stand in its memory, and the most that its experts take.
    private func megabytes(
        _ scene: Scene, _ model: String, workers: Int, _ arguments: [String] = []
    ) async throws -> (resident: Double, weights: Double) {
        let outcome = try await scene.run(
            ["generate", model, "--local", "\(workers)", "--prompt-ids", "1,2", "--max-tokens", "2", "--report"]
                + arguments)
        let rows = outcome.errorLines.filter { $0.hasPrefix("worker-") }.map { line in
            line.split(separator: /[ ]{2,}/).map { $0.replacing(" MB", with: "") }
        }
        try #require(rows.count == workers, "\(outcome)")
        return (rows.compactMap { Double($0[3]) }.max() ?? .infinity, rows.compactMap { Double($0[2]) }.max() ?? 0)
    }

    @Test("a worker holds its share, not the checkpoint, and of what it converts no original")
    func share() async throws {
        try await Scene.play { scene in
            let model = try await checkpoint(scene)
            let one = try await megabytes(scene, model, workers: 1)
            let four = try await megabytes(scene, model, workers: 4)
            #expect(one.weights > 50 && four.weights > 12 && four.weights < 13)
            // The system may map 2 MB where a part is touched, so that some of a neighbour comes with each expert.
            #expect(four.resident < one.resident - 15, "\(four.resident) and \(one.resident) MB")
            let sliced = try await megabytes(scene, model, workers: 4, ["--tensor-parallel-size", "4"])
            #expect(sliced.weights == four.weights)
            // Half the bytes, and a scale for each 128 columns: the originals do not stay beside them.
            let small = try await megabytes(scene, model, workers: 1, ["--expert-dtype", "int4"])
            #expect(small.weights > 26 && small.weights < 27.5, "\(small.weights) MB")
            #expect(small.resident < one.resident - 15, "\(small.resident) and \(one.resident) MB")
        }
    }
}
