package import Cluster
internal import Foundation

/// Routing decisions of many tokens, layer by layer: drawn with a skew, or recorded.
package struct RoutingTrace: Sendable {
    package let expertCount: Int
    package let expertsPerToken: Int
    /// [layers][tokens x experts per token]
    package let layers: [[Int32]]

    package var tokenCount: Int { (layers.first?.count ?? 0) / expertsPerToken }

    /// Each token draws distinct experts with probabilities as 1 / rank^exponent; each layer deals the ranks to its
    /// experts at random.
    package init(
        experts count: Int, expertsPerToken: Int, layers: Int, tokens: Int, exponent: Double, seed: UInt64
    ) {
        var generator = XorShift(seed: seed)
        var cumulative: [Double] = []
        for rank in 1...count { cumulative.append((cumulative.last ?? 0) + pow(Double(rank), -exponent)) }
        expertCount = count
        self.expertsPerToken = expertsPerToken
        self.layers = (0..<layers).map { _ in
            let order = (0..<Int32(count)).shuffled(using: &generator)
            var experts: [Int32] = []
            experts.reserveCapacity(tokens * expertsPerToken)
            for _ in 0..<tokens {
                let first = experts.count
                while experts.count < first + expertsPerToken {
                    let point = Double.random(in: 0..<(cumulative.last ?? 1), using: &generator)
                    let expert = order[cumulative.partitioningIndex { $0 > point }]
                    if !experts[first...].contains(expert) { experts.append(expert) }
                }
            }
            return experts
        }
    }

    /// Decisions as they are.
    /// - Parameter layers: [layers][tokens x experts per token]
    package init(experts count: Int, expertsPerToken: Int, layers: [[Int32]]) {
        expertCount = count
        self.expertsPerToken = expertsPerToken
        self.layers = layers
    }

    /// What `cohort generate --json --routing` printed.
    /// - Parameter file: what errors call it.
    /// - Throws: `RoutingTraceError` when it is something else, or names experts that there are not.
    package init(
        json: [UInt8], file: String, experts count: Int, expertsPerToken: Int
    ) throws(RoutingTraceError) {
        let recorded: Recorded
        do {
            recorded = try JSONDecoder().decode(Recorded.self, from: Data(json))
        } catch {
            throw RoutingTraceError(file: file, what: "it is no output of `cohort generate --json --routing`")
        }
        expertCount = count
        self.expertsPerToken = expertsPerToken
        layers = try recorded.routing.map { layer throws(RoutingTraceError) in
            for experts in layer.experts {
                guard experts.count == expertsPerToken, experts.allSatisfy({ 0..<Int32(count) ~= $0 }) else {
                    throw RoutingTraceError(
                        file: file,
                        what: "a position of layer \(layer.layer) has \(experts.count) experts, \(experts.max() ?? -1) "
                            + "the highest, where \(expertsPerToken) below \(count) are wanted")
                }
            }
            return Array(layer.experts.joined())
        }
        guard let first = layers.first, !first.isEmpty, layers.allSatisfy({ $0.count == first.count }) else {
            throw RoutingTraceError(file: file, what: "its layers have no positions, or not as many as one another")
        }
    }

    /// [tokens x experts per token] of a batch; after the last token comes the first.
    package func batch(layer: Int, from token: Int, tokens: Int) -> [Int32] {
        let experts = layers[layer % layers.count]
        return (0..<tokens * expertsPerToken).map { experts[(token * expertsPerToken + $0) % experts.count] }
    }

    /// Maximum over mean of the workers' tokens when the whole trace is dispatched by a placement in batches, the
    /// workers' tokens summed over the batches and the maxima and means over the layers; 1 is level.
    /// - Parameter modelLayers: the placement's layers that the trace's stand for, in order.
    package func maximumOverMean(_ placement: Placement, modelLayers: [Int], workers: [Int], batch: Int) -> Double {
        let count = (workers.max() ?? 0) + 1
        var (peak, mean) = (0.0, 0.0)
        var chosen = [Int32](repeating: 0, count: batch * expertsPerToken * placement.parallelism.tensor)
        for (position, layer) in modelLayers.enumerated() {
            var chooser = ReplicaChooser(speeds: Array(repeating: 1, count: count))
            var sums = [Double](repeating: 0, count: count)
            for token in stride(from: 0, to: max(1, tokenCount - batch + 1), by: batch) {
                chooser.choose(
                    experts: self.batch(layer: position, from: token, tokens: batch), tokens: batch,
                    expertsPerToken: expertsPerToken, table: placement.table(layer: layer), into: &chosen)
                for worker in workers { sums[worker] += Double(chooser.loads[worker]) }
            }
            peak += sums.max() ?? 0
            mean += sums.reduce(0, +) / Double(max(1, workers.count))
        }
        return mean > 0 ? peak / mean : 1
    }

    private struct Recorded: Decodable {
        struct Layer: Decodable {
            let layer: Int
            let experts: [[Int32]]
        }

        let routing: [Layer]
    }
}

/// A trace file is not what it should be.
package struct RoutingTraceError: Error, CustomStringConvertible {
    let file: String
    let what: String

    package var description: String {
        "\(file): \(what): record one with `cohort generate MODEL --json --routing ... > FILE`"
    }
}

extension [Double] {
    /// The first index whose element satisfies `isBehind`, which all after it do; the last where none does.
    fileprivate func partitioningIndex(_ isBehind: (Double) -> Bool) -> Int {
        var (low, high) = (0, count - 1)
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
