import Kernels
import Testing

@Suite struct LatentPartsTests {
    @Test("parts follow each other without a gap and hold all positions", arguments: [LatentParts.few, .many])
    func partsCoverPositions(parts: LatentParts) {
        for positions in [1, 127, 128, 129, 2047, 2048, 2049, 2560, 2561, 9000] {
            let ranges = (0..<parts.count(positions)).map(parts.positions(of:))
            #expect(ranges.first?.lowerBound == 0)
            for (range, next) in zip(ranges, ranges.dropFirst()) { #expect(range.upperBound == next.lowerBound) }
            #expect(ranges.last?.contains(positions - 1) == true, "\(positions) positions")
            let blocks = ranges.map { LatentParts.blocks(min($0.upperBound, positions) - $0.lowerBound) }
            #expect(blocks.allSatisfy { $0 <= LatentParts.longest(positions) }, "\(positions) positions")
        }
    }

    @Test("a short cache has a part for each block, or one alone")
    func shortCaches() {
        #expect(LatentParts.many.count(540) == 5)
        #expect(LatentParts.few.count(540) == 1)
        #expect(LatentParts.many.positions(of: 4) == 512..<640)
        #expect(LatentParts.many.positions(of: 16) == LatentParts.few.positions(of: 1))
    }
}
