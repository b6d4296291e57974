import Checkpoint
import Experts
import Foundation
import Kernels
import TestSupport
import Testing

/// What a slice of an expert leaves of the expert in this process's memory.
@Suite struct SlicedExpertMemoryTests {
    /// A checkpoint whose experts' matrices have 128 pages each.
    private func checkpoint(_ folder: String) throws -> Checkpoint {
        let file = URL(fileURLWithPath: "\(Fixture("v2-lite").model)/config.json")
        var config = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        config["hidden_size"] = 1024
        config["moe_intermediate_size"] = 256
        config["n_routed_experts"] = 4
        let written = "\(folder)/config.json"
        try JSONSerialization.data(withJSONObject: config).write(to: URL(fileURLWithPath: written))
        try SyntheticCheckpoint(configFile: written, format: .bf16, seed: 1).write(to: "\(folder)/model", threads: 2) {
            _, _ in
        }
        return try Checkpoint(folder: "\(folder)/model")
    }

    /// Whole pages of the matrix, and how many of them are mapped.
    private func pages(_ matrix: WeightMatrix) throws -> (all: Int, present: Int) {
        let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
        let start = Int(bitPattern: matrix.weights)
        let first = (start + pageSize - 1) / pageSize
        let end = (start + matrix.byteCount) / pageSize
        let table = try FileHandle(forReadingFrom: URL(fileURLWithPath: "/proc/self/pagemap"))
        try table.seek(toOffset: UInt64(first * 8))
        let entries = try #require(try table.read(upToCount: (end - first) * 8))
        // The highest bit of each little-endian entry says that the page is present.
        let present = stride(from: 7, to: entries.count, by: 8).count { entries[entries.startIndex + $0] & 0x80 != 0 }
        return (end - first, present)
    }

    @Test("an expert that is read ahead is in memory")
    func readAhead() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ahead-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let checkpoint = try checkpoint(folder)
        let expert = try ExpertWeights(from: checkpoint, layer: 1, expert: 2)
        for matrix in [expert.gate, expert.up, expert.down] { #expect(try pages(matrix).present == 0) }
        try ExpertWeights.readAhead([(1, 2)], of: checkpoint)
        for matrix in [expert.gate, expert.up, expert.down] {
            let (all, present) = try pages(matrix)
            #expect(present == all)
        }
    }

    @Test("columns are copied, and the pages that they came from given back")
    func copied() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("slices-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let checkpoint = try checkpoint(folder)
        let whole = try ExpertWeights(from: checkpoint, layer: 1, expert: 2)
        let slice = try ExpertWeights(from: checkpoint, layer: 1, expert: 2, width: 64..<128)
        let (all, present) = try pages(whole.down)
        #expect(all >= 126 && present == 0)
        let (row, size) = (512, MemoryLayout<UInt16>.size)
        let stored = whole.down.weights.loadUnaligned(fromByteOffset: (row * 256 + 64) * size, as: UInt16.self)
        let copied = slice.down.weights.loadUnaligned(
            fromByteOffset: row * slice.down.rowStride * size, as: UInt16.self)
        #expect(copied == stored)
        #expect(try pages(whole.down).present > 0, "a touch brings them back")
    }
}
