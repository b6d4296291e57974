package import Checkpoint
import Foundation
package import Kernels

/// A checkpoint whose matrices have many pages, experts' (1024 x 256 in BF16) 128 each; gone with `remove`.
package struct WideModel {
    package let folder: String
    package let checkpoint: Checkpoint

    /// - Parameters:
    ///   - experts: in each layer.
    ///   - fields: of config.json, set otherwise.
    package init(experts: Int, fields: [String: Any] = [:]) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("experts-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let source = URL(fileURLWithPath: "\(Fixture("v2-lite").model)/config.json")
        let object = try JSONSerialization.jsonObject(with: Data(contentsOf: source))
        var config = object as? [String: Any] ?? [:]
        config["hidden_size"] = 1024
        config["moe_intermediate_size"] = 256
        config["n_routed_experts"] = experts
        config.merge(fields) { $1 }
        let written = "\(folder)/config.json"
        try JSONSerialization.data(withJSONObject: config).write(to: URL(fileURLWithPath: written))
        try SyntheticCheckpoint(configFile: written, format: .bf16, seed: 1)
            .write(to: "\(folder)/model", threads: 2) { _, _ in }
        checkpoint = try Checkpoint(folder: "\(folder)/model")
    }

    /// Whole pages of a stored matrix, and how many of them are in this process's memory.
    package func pages(_ matrix: WeightMatrix) throws -> (all: Int, present: Int) {
        let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
        let start = Int(bitPattern: matrix.weights)
        let first = (start + pageSize - 1) / pageSize
        let end = (start + matrix.byteCount) / pageSize
        let table = try FileHandle(forReadingFrom: URL(fileURLWithPath: "/proc/self/pagemap"))
        try table.seek(toOffset: UInt64(first * 8))
        let entries = try table.read(upToCount: (end - first) * 8) ?? Data()
        // The highest bit of each little-endian entry says that the page is present.
        let present = stride(from: 7, to: entries.count, by: 8).count { entries[entries.startIndex + $0] & 0x80 != 0 }
        return (end - first, present)
    }

    package func remove() { try? FileManager.default.removeItem(atPath: folder) }
}
