import Checkpoint
import Experts
import TestSupport
import Testing

/// What a slice of an expert leaves of the expert in this process's memory.
@Suite struct SlicedExpertMemoryTests {
    @Test("an expert that is read ahead is in memory")
    func readAhead() throws {
        let model = try WideModel(experts: 4)
        defer { model.remove() }
        let checkpoint = model.checkpoint
        let expert = try ExpertWeights(from: checkpoint, layer: 1, expert: 2)
        for matrix in [expert.gate, expert.up, expert.down] { #expect(try model.pages(matrix).present == 0) }
        try ExpertWeights.readAhead([(1, 2)], of: checkpoint)
        for matrix in [expert.gate, expert.up, expert.down] {
            let (all, present) = try model.pages(matrix)
            #expect(present == all)
        }
    }

    @Test("columns are copied, and the pages that they came from given back")
    func copied() throws {
        let model = try WideModel(experts: 4)
        defer { model.remove() }
        let checkpoint = model.checkpoint
        let whole = try ExpertWeights(from: checkpoint, layer: 1, expert: 2)
        let slice = try ExpertWeights(from: checkpoint, layer: 1, expert: 2, width: 64..<128)
        let (all, present) = try model.pages(whole.down)
        #expect(all >= 126 && present == 0)
        let (row, size) = (512, MemoryLayout<UInt16>.size)
        let stored = whole.down.weights.loadUnaligned(fromByteOffset: (row * 256 + 64) * size, as: UInt16.self)
        let copied = slice.down.weights.loadUnaligned(
            fromByteOffset: row * slice.down.rowStride * size, as: UInt16.self)
        #expect(copied == stored)
        #expect(try model.pages(whole.down).present > 0, "a touch brings them back")
    }
}
