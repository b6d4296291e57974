import Checkpoint
import Experts
import Foundation
import Kernels
import TestSupport
import Testing

/// What a slice of an expert leaves of the expert in this process's memory.
@Suite struct SlicedExpertMemoryTests {
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
        let model = try WideExperts(experts: 4)
        defer { model.remove() }
        let checkpoint = model.checkpoint
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
        let model = try WideExperts(experts: 4)
        defer { model.remove() }
        let checkpoint = model.checkpoint
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
