internal import Foundation
package import Kernels

/// What every row of logits is asked for, whatever the sampling, on all threads: its largest logit and the logarithm of
/// the sum of its exponentials. Each sum runs in the order of the vocabulary, so it does not depend on the threads.
package final class LogitSums {
    private let count: Int
    private let blocks: Int
    /// [rows, blocks]: the largest logit of each block.
    private let candidates: AlignedBuffer<Int32>
    /// [tile, count], relative to the row's largest logit.
    private let exponentials: AlignedBuffer<Double>
    private let largest: AlignedBuffer<Int32>
    private let logarithms: AlignedBuffer<Double>

    /// - Parameter count: the vocabulary's; at least 1.
    package init(maximumRows rows: Int, count: Int) {
        precondition(count > 0, "a vocabulary has tokens")
        self.count = count
        blocks = (count + Self.block - 1) / Self.block
        candidates = AlignedBuffer(count: rows * blocks)
        exponentials = AlignedBuffer(count: min(rows, Self.tile) * count)
        largest = AlignedBuffer(count: rows)
        logarithms = AlignedBuffer(count: rows)
    }

    /// - Parameter logits: [rows, count].
    package func compute(_ logits: UnsafePointer<Float>, rows: Int, on team: ThreadTeam) {
        findLargest(logits, rows, team)
        for first in stride(from: 0, to: rows, by: Self.tile) {
            let tile = first..<min(first + Self.tile, rows)
            exponentiate(logits, tile, team)
            add(logits, tile, team)
        }
    }

    /// Of the last `compute`: the index of a row's largest logit, the first of equals.
    package func indexOfLargest(row: Int) -> Int { Int(largest.pointer[row]) }

    /// Of the last `compute`: the natural logarithm of the sum of a row's exponentials.
    package func logSum(row: Int) -> Double { logarithms.pointer[row] }

    private func findLargest(_ logits: UnsafePointer<Float>, _ rows: Int, _ team: ThreadTeam) {
        let candidates = candidates.pointer
        forEachBlock(rows, team) { item, row, block in
            let row = logits + row * count
            var best = block.lowerBound
            for index in block where row[index] > row[best] { best = index }
            candidates[item] = Int32(best)
        }
        for row in 0..<rows {
            var best = candidates[row * blocks]
            for candidate in candidates + row * blocks..<candidates + (row + 1) * blocks
            where logits[row * count + Int(candidate.pointee)] > logits[row * count + Int(best)] {
                best = candidate.pointee
            }
            largest.pointer[row] = best
        }
    }

    private func exponentiate(_ logits: UnsafePointer<Float>, _ tile: Range<Int>, _ team: ThreadTeam) {
        let exponentials = exponentials.pointer
        forEachBlock(tile.count, team) { _, index, block in
            let row = tile.lowerBound + index
            let (values, terms) = (logits + row * count, exponentials + index * count)
            let offset = Double(values[indexOfLargest(row: row)])
            for index in block { terms[index] = exp(Double(values[index]) - offset) }
        }
    }

    private func add(_ logits: UnsafePointer<Float>, _ tile: Range<Int>, _ team: ThreadTeam) {
        team.forEach(tile.count) { index in
            let row = tile.lowerBound + index
            let terms = exponentials.pointer + index * count
            var sum = 0.0
            for index in 0..<count { sum += terms[index] }
            logarithms.pointer[row] = Double(logits[row * count + indexOfLargest(row: row)]) + log(sum)
        }
    }

    /// Calls `body` with a running number, the row, and the block's part of the vocabulary.
    private func forEachBlock(_ rows: Int, _ team: ThreadTeam, _ body: (Int, Int, Range<Int>) -> Void) {
        team.forEach(rows * blocks) { item in
            let (row, block) = item.quotientAndRemainder(dividingBy: blocks)
            body(item, row, block * Self.block..<min((block + 1) * Self.block, count))
        }
    }

    /// Some 15 microseconds of exponentials.
    private static let block = 4096
    /// Rows whose exponentials are in memory at once.
    private static let tile = 8
}
