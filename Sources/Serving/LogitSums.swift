internal import Foundation
package import Kernels

/// What every row of logits is asked for, whatever the sampling, on all threads: its largest logit and the logarithm of
/// the sum of its exponentials. Blocks of the vocabulary are summed up each for itself and then in order, so a sum does
/// not depend on the threads.
package final class LogitSums {
    private let count: Int
    private let blocks: Int
    /// [rows, blocks]: the largest logit of each block.
    private let candidates: AlignedBuffer<Int32>
    /// [rows, blocks]: the sum of each block's exponentials, relative to the row's largest logit.
    private let parts: AlignedBuffer<Double>
    private let largest: AlignedBuffer<Int32>
    private let logarithms: AlignedBuffer<Double>

    /// - Parameter count: the vocabulary's; at least 1.
    package init(maximumRows rows: Int, count: Int) {
        precondition(count > 0, "a vocabulary has tokens")
        self.count = count
        blocks = (count + Self.block - 1) / Self.block
        candidates = AlignedBuffer(count: rows * blocks)
        parts = AlignedBuffer(count: rows * blocks)
        largest = AlignedBuffer(count: rows)
        logarithms = AlignedBuffer(count: rows)
    }

    /// - Parameter logits: [rows, count].
    package func compute(_ logits: UnsafePointer<Float>, rows: Int, on processor: Processor) {
        findLargest(logits, rows, processor.team)
        addExponentials(logits, rows, processor)
    }

    /// Of the last `compute`: the index of a row's largest logit, the first of equals.
    package func indexOfLargest(row: Int) -> Int { Int(largest.pointer[row]) }

    /// Of the last `compute`: the natural logarithm of the sum of a row's exponentials.
    package func logSum(row: Int) -> Double { logarithms.pointer[row] }

    private func findLargest(_ logits: UnsafePointer<Float>, _ rows: Int, _ team: ThreadTeam) {
        let candidates = candidates.pointer
        forEachBlock(rows, team) { item, row, block in
            candidates[item] = Int32(Self.indexOfLargest(logits + row * count, in: block))
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

    /// The first of equals.
    private static func indexOfLargest(_ values: UnsafePointer<Float>, in block: Range<Int>) -> Int {
        var lanes = SIMD16<Float>(repeating: values[block.lowerBound])
        var index = block.lowerBound
        while index + 16 <= block.upperBound {
            let next = UnsafeRawPointer(values + index).loadUnaligned(as: SIMD16<Float>.self)
            lanes.replace(with: next, where: next .> lanes)
            index += 16
        }
        var largest = lanes.max()
        for rest in index..<block.upperBound where values[rest] > largest { largest = values[rest] }
        return firstIndex(of: largest, in: values, block) ?? block.lowerBound
    }

    private static func firstIndex(
        of value: Float, in values: UnsafePointer<Float>, _ block: Range<Int>
    ) -> Int? {
        var index = block.lowerBound
        while index + 16 <= block.upperBound,
            !any(UnsafeRawPointer(values + index).loadUnaligned(as: SIMD16<Float>.self) .== value)
        {
            index += 16
        }
        return (index..<block.upperBound).first { values[$0] == value }
    }

    private func addExponentials(_ logits: UnsafePointer<Float>, _ rows: Int, _ processor: Processor) {
        let parts = parts.pointer
        forEachBlock(rows, processor.team) { item, row, block in
            let values = logits + row * count
            parts[item] = Self.sum(values, block, relativeTo: values[indexOfLargest(row: row)], processor.kernels)
        }
        for row in 0..<rows {
            var sum = 0.0
            for part in parts + row * blocks..<parts + (row + 1) * blocks { sum += part.pointee }
            logarithms.pointer[row] = Double(logits[row * count + indexOfLargest(row: row)]) + log(sum)
        }
    }

    /// The sum of exp(value - largest).
    private static func sum(
        _ values: UnsafePointer<Float>, _ block: Range<Int>, relativeTo largest: Float, _ kernels: KernelSet
    ) -> Double {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: step) { terms in
            guard let base = terms.baseAddress else { return 0 }
            var sum = 0.0
            for first in stride(from: block.lowerBound, to: block.upperBound, by: step) {
                let (count, values) = (min(step, block.upperBound - first), values + first)
                for index in 0..<count { base[index] = values[index] - largest }
                kernels.exponential(base, count: count, into: base)
                sum += Self.sum(base, count: count)
            }
            return sum
        }
    }

    private static func sum(_ values: UnsafePointer<Float>, count: Int) -> Double {
        var lanes = SIMD8<Double>.zero
        var index = 0
        while index + 8 <= count {
            lanes += SIMD8<Double>(UnsafeRawPointer(values + index).loadUnaligned(as: SIMD8<Float>.self))
            index += 8
        }
        var sum = lanes.sum()
        while index < count {
            sum += Double(values[index])
            index += 1
        }
        return sum
    }

    /// Calls `body` with a running number, the row, and the block's part of the vocabulary.
    private func forEachBlock(_ rows: Int, _ team: ThreadTeam, _ body: (Int, Int, Range<Int>) -> Void) {
        team.forEach(rows * blocks) { item in
            let (row, block) = item.quotientAndRemainder(dividingBy: blocks)
            body(item, row, block * Self.block..<min((block + 1) * Self.block, count))
        }
    }

    /// Some microseconds of exponentials.
    private static let block = 4096
    /// Exponentials in memory at once: 1 KiB on the stack.
    private static let step = 256
}
