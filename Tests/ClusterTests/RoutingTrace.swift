import Cluster
import Foundation

/// A seeded trace of routing decisions: each token draws distinct experts with probabilities as 1 / rank^exponent, the
/// ranks dealt to the experts at random.
struct RoutingTrace {
    let expertCount: Int
    let expertsPerToken: Int
    /// [tokens x experts per token]
    let experts: [Int32]

    init(experts count: Int = 256, expertsPerToken: Int = 8, tokens: Int, exponent: Double = 1, seed: UInt64) {
        var generator = SplitMix(state: seed)
        let order = (0..<count).shuffled(using: &generator)
        var cumulative: [Double] = []
        var sum = 0.0
        for rank in 1...count {
            sum += pow(Double(rank), -exponent)
            cumulative.append(sum)
        }
        var experts: [Int32] = []
        for _ in 0..<tokens {
            var chosen: [Int32] = []
            while chosen.count < expertsPerToken {
                let point = Double.random(in: 0..<sum, using: &generator)
                var (low, high) = (0, count - 1)
                while low < high {
                    let middle = (low + high) / 2
                    if cumulative[middle] > point { high = middle } else { low = middle + 1 }
                }
                let expert = Int32(order[low])
                if !chosen.contains(expert) { chosen.append(expert) }
            }
            experts += chosen
        }
        expertCount = count
        self.expertsPerToken = expertsPerToken
        self.experts = experts
    }

    var tokens: Int { experts.count / expertsPerToken }

    /// Tokens of each expert in a part of the trace.
    func loads(_ part: Range<Int>) -> [Double] {
        var loads = [Double](repeating: 0, count: expertCount)
        for pair in part.lowerBound * expertsPerToken..<part.upperBound * expertsPerToken {
            loads[Int(experts[pair])] += 1
        }
        return loads
    }

    /// Runs a part of the trace in batches and lets `chooser` choose.
    /// - Returns: max / mean tokens per worker over the whole part, and its mean over the batches.
    func replay(_ part: Range<Int>, batch: Int, table: SlotTable, workers: Int) -> (total: Double, perStep: Double) {
        var chooser = ReplicaChooser(speeds: Array(repeating: 1, count: workers))
        var sums = [Double](repeating: 0, count: workers)
        var ratios: [Double] = []
        var chosen = [Int32](repeating: 0, count: batch * expertsPerToken)
        experts.withUnsafeBufferPointer { experts in
            for start in stride(from: part.lowerBound, to: part.upperBound - batch + 1, by: batch) {
                chooser.choose(
                    experts: experts.baseAddress! + start * expertsPerToken, tokens: batch,
                    expertsPerToken: expertsPerToken, table: table, into: &chosen)
                ratios.append(Self.maximumOverMean(chooser.loads.map(Double.init)))
                for worker in 0..<workers { sums[worker] += Double(chooser.loads[worker]) }
            }
        }
        return (Self.maximumOverMean(sums), ratios.reduce(0, +) / Double(ratios.count))
    }

    static func maximumOverMean(_ loads: [Double]) -> Double {
        (loads.max() ?? 0) / (loads.reduce(0, +) / Double(loads.count))
    }
}
