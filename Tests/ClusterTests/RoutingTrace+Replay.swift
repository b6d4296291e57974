import Bench
import Cluster

/// One layer of a trace, replayed.
extension RoutingTrace {
    init(experts: Int = 256, expertsPerToken: Int = 8, tokens: Int, exponent: Double = 1, seed: UInt64) {
        self.init(
            experts: experts, expertsPerToken: expertsPerToken, layers: 1, tokens: tokens, exponent: exponent,
            seed: seed)
    }

    /// [tokens x experts per token]
    var experts: [Int32] { layers[0] }

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
