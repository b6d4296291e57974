internal import Foundation

/// How the pairs of each layer fall on the workers, in an exponentially weighted window.
package struct TokenSpread: Sendable {
    /// Some steps of any traffic, and soon over after a change.
    private static let windowSeconds = 10.0

    /// The MoE layers, ascending.
    private let layers: [Int]
    /// By layer: its position in `layers`.
    private let positions: [Int?]
    /// [layers][workers]
    private var pairs: [[Double]]
    private var seconds: Double?

    init(layers: [Int]) {
        var positions = [Int?](repeating: nil, count: (layers.last ?? -1) + 1)
        for (position, layer) in layers.enumerated() { positions[layer] = position }
        self.layers = layers
        self.positions = positions
        pairs = Array(repeating: [], count: layers.count)
    }

    /// - Parameter counts: [workers] pairs of one batch.
    mutating func record(layer: Int, pairs counts: [Int32]) {
        guard let position = positions[layer] else { preconditionFailure("layer \(layer) has no routed experts") }
        while pairs[position].count < counts.count { pairs[position].append(0) }
        for worker in counts.indices { pairs[position][worker] += Double(counts[worker]) }
    }

    mutating func fold(seconds now: Double) {
        let kept = exp(-max(0, now - (seconds ?? now)) / Self.windowSeconds)
        seconds = now
        for layer in pairs.indices {
            for worker in pairs[layer].indices { pairs[layer][worker] *= kept }
        }
    }

    /// Mean over maximum of the workers' pairs, both summed over the layers; 1 without any.
    /// - Parameter workers: those that take part in a layer.
    func balancedness(workers: (Int) -> [Int]) -> Double {
        var (mean, peak) = (0.0, 0.0)
        for (position, layer) in layers.enumerated() {
            let counts = workers(layer).map { $0 < pairs[position].count ? pairs[position][$0] : 0 }
            guard !counts.isEmpty else { continue }
            mean += counts.reduce(0, +) / Double(counts.count)
            peak += counts.max() ?? 0
        }
        return peak > 0 ? mean / peak : 1
    }
}
