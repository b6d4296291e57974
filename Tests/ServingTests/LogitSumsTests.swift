import Foundation
import Kernels
import Serving
import TestSupport
import Testing

@Suite struct LogitSumsTests {
    /// Seeded logits, large enough that exponentials of their own would overflow.
    private static func logits(rows: Int, count: Int) -> [Float] {
        var generator = SplitMix(seed: UInt64(rows * 100_000 + count))
        return (0..<rows * count).map { _ in 1000 + Float(Int.random(in: -40...40, using: &generator)) / 4 }
    }

    @Test(
        "the largest logit is a plain loop's, and the sum as exact as f32 exponentials, alike on any number of threads",
        arguments: [(1, 1), (1, 4097), (3, 5000), (9, 9000), (20, 300)])
    func plainLoop(rows: Int, count: Int) {
        let logits = Self.logits(rows: rows, count: count)
        let sums = [1, 3].map { threads in
            let sums = LogitSums(maximumRows: rows, count: count)
            sums.compute(logits, rows: rows, on: Processor(threads: threads, compute: .fast))
            return sums
        }
        for row in 0..<rows {
            let values = logits[row * count..<(row + 1) * count]
            let largest = values.max() ?? 0
            var sum = 0.0
            for value in values { sum += exp(Double(value) - Double(largest)) }
            for sums in sums {
                #expect(sums.indexOfLargest(row: row) == (values.firstIndex(of: largest) ?? 0) - row * count)
                #expect(abs(sums.logSum(row: row) - (Double(largest) + log(sum))) < 1e-6)
            }
            #expect(sums[0].logSum(row: row) == sums[1].logSum(row: row))
        }
    }
}
