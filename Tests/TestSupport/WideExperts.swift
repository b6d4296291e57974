package import Checkpoint
import Foundation

/// A checkpoint whose experts' matrices, 1024 x 256 in BF16, have 128 pages each; gone with `remove`.
package struct WideExperts {
    package let folder: String
    package let checkpoint: Checkpoint

    /// - Parameter experts: in each layer.
    package init(experts: Int) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("experts-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let source = URL(fileURLWithPath: "\(Fixture("v2-lite").model)/config.json")
        let object = try JSONSerialization.jsonObject(with: Data(contentsOf: source))
        var config = object as? [String: Any] ?? [:]
        config["hidden_size"] = 1024
        config["moe_intermediate_size"] = 256
        config["n_routed_experts"] = experts
        let written = "\(folder)/config.json"
        try JSONSerialization.data(withJSONObject: config).write(to: URL(fileURLWithPath: written))
        try SyntheticCheckpoint(configFile: written, format: .bf16, seed: 1)
            .write(to: "\(folder)/model", threads: 2) { _, _ in }
        checkpoint = try Checkpoint(folder: "\(folder)/model")
    }

    package func remove() { try? FileManager.default.removeItem(atPath: folder) }
}
