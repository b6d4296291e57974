internal import Foundation

/// How the tokens fall on experts and workers, in exponentially weighted windows: an event's weight shrinks by the
/// factor e in each window's seconds. Recording adds to flat arrays, so it is always on; folding into the windows is
/// for once in a while, a second or a minute.
package struct LoadStatistics: Sendable, Equatable {
    /// The windows kept unless others are asked for, in seconds: the last minutes, and the last hours.
    package static let standardWindows: [Double] = [300, 7200]

    /// The MoE layers, ascending.
    package let layers: [Int]
    package let expertCount: Int
    /// Lengths in seconds, ascending.
    package let windows: [Double]
    /// Where the fold stands, in seconds of the caller's clock.
    package private(set) var seconds: Double
    /// [windows][layers x experts] tokens routed, weighted.
    package private(set) var tokens: [[Double]]
    /// By name.
    package private(set) var workers: [String: WorkerHistory] = [:]
    /// [layers x experts] tokens since the last fold.
    private var fresh: [Double]
    /// By layer: the layer's first entry in the flat arrays.
    private let offsets: [Int?]

    /// - Parameters:
    ///   - layers: the MoE layers, ascending.
    ///   - experts: routed experts per layer.
    ///   - seconds: the time now.
    package init(layers: [Int], experts: Int, windows: [Double] = standardWindows, seconds: Double = 0) {
        precondition(zip(layers, layers.dropFirst()).allSatisfy { $0 < $1 } && layers.first ?? 0 >= 0)
        precondition(experts >= 1 && !windows.isEmpty && windows.allSatisfy { $0 > 0 && $0.isFinite })
        self.layers = layers
        expertCount = experts
        self.windows = windows
        self.seconds = seconds
        fresh = Array(repeating: 0, count: layers.count * experts)
        tokens = windows.map { _ in Array(repeating: 0, count: layers.count * experts) }
        var offsets = [Int?](repeating: nil, count: (layers.last ?? -1) + 1)
        for (position, layer) in layers.enumerated() { offsets[layer] = position * experts }
        self.offsets = offsets
    }

    /// Counts one batch of one layer.
    /// - Parameter experts: [tokens x experts per token], as the router chose them.
    package mutating func record(layer: Int, experts: UnsafeBufferPointer<Int32>) {
        guard let offset = offsets[layer] else { preconditionFailure("layer \(layer) has no routed experts") }
        fresh.withUnsafeMutableBufferPointer { fresh in
            for expert in experts { fresh[offset + Int(expert)] += 1 }
        }
    }

    /// Counts what a worker did since it was last recorded.
    package mutating func record(worker: String, _ load: WorkerLoad) {
        workers[worker, default: WorkerHistory(windows: windows.count)].fresh.add(load)
    }

    /// Folds what was recorded into the windows. A time before the last fold counts as no time passed.
    package mutating func fold(seconds now: Double) {
        let passed = max(0, now - seconds)
        for (window, length) in windows.enumerated() {
            let kept = exp(-passed / length)
            for index in fresh.indices { tokens[window][index] = tokens[window][index] * kept + fresh[index] }
            for name in workers.keys { workers[name]?.fold(window: window, kept: kept) }
        }
        for index in fresh.indices { fresh[index] = 0 }
        for name in workers.keys { workers[name]?.fresh = WorkerLoad() }
        seconds = max(seconds, now)
    }

    /// The weighted tokens of each layer and expert as of the last fold.
    package func loads(window: Int = 0) -> ExpertLoads {
        ExpertLoads(layers: layers, experts: expertCount, tokens: tokens[window])
    }

    /// Forgets a worker that will not come back.
    package mutating func remove(worker: String) { workers[worker] = nil }

    /// Adds another record of the same model, as when several coordinators' files are put together.
    package mutating func merge(_ other: LoadStatistics) throws(LoadFileError) {
        guard layers == other.layers else { throw LoadFileError(file: nil, problem: .otherModel(field: "layers")) }
        guard expertCount == other.expertCount else {
            throw LoadFileError(file: nil, problem: .otherModel(field: "experts"))
        }
        guard windows == other.windows else { throw LoadFileError(file: nil, problem: .otherModel(field: "windows")) }
        for window in windows.indices {
            for index in tokens[window].indices { tokens[window][index] += other.tokens[window][index] }
        }
        for index in fresh.indices { fresh[index] += other.fresh[index] }
        for (name, history) in other.workers {
            workers[name, default: WorkerHistory(windows: windows.count)].add(history)
        }
    }

    /// Restores what a file holds.
    mutating func restore(tokens: [[Double]], workers: [String: WorkerHistory]) {
        self.tokens = tokens
        self.workers = workers
    }
}
