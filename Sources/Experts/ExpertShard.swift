package import Checkpoint
package import Kernels

/// The routed experts that one process holds, found by layer and slice (expert and tensor-parallel rank).
package final class ExpertShard: Sendable {
    package let tensorParallelSize: Int
    package let expertCount: Int
    private let layers: [Int: [ExpertWeights?]]
    /// The same as kernels take them.
    private let unowned: [Int: [UnownedExpert?]]
    /// By layer: what any of its experts reads its input as.
    private let forms: [Int: RowForms]

    /// - Parameter held: the experts of each layer, [expert * tensorParallelSize + rank], nil where this process
    ///   holds none.
    package init(expertCount: Int, tensorParallelSize: Int, holding held: [Int: [ExpertWeights?]]) {
        precondition(held.values.allSatisfy { $0.count == expertCount * tensorParallelSize })
        self.expertCount = expertCount
        self.tensorParallelSize = tensorParallelSize
        layers = held
        unowned = held.mapValues { $0.map { $0.map(UnownedExpert.init) } }
        forms = held.mapValues { experts in
            experts.reduce(into: []) { $0.formUnion($1.map { $0.gate.inputForms.union($0.up.inputForms) } ?? []) }
        }
    }

    /// Every expert of every given layer, whole, as stored.
    /// - Throws: `CheckpointError` when a tensor is missing or has another shape or dtype.
    package convenience init(allOf checkpoint: Checkpoint, layers: [Int]) throws {
        let count = checkpoint.config.expertCount
        var held: [Int: [ExpertWeights?]] = [:]
        try ExpertWeights.readAhead(layers.flatMap { layer in (0..<count).map { (layer, $0) } }, of: checkpoint)
        for layer in layers {
            held[layer] = try (0..<count).map { try ExpertWeights(from: checkpoint, layer: layer, expert: $0) }
        }
        self.init(expertCount: count, tensorParallelSize: 1, holding: held)
    }

    /// The same, converted on all threads of a team; a few of the originals stand in memory at a time.
    package convenience init(
        allOf checkpoint: Checkpoint, layers: [Int], as dtype: HeldDType, team: ThreadTeam
    ) throws {
        let count = checkpoint.config.expertCount
        let converter = WeightConverter(team: team)
        var held: [Int: [ExpertWeights?]] = [:]
        for layer in layers {
            var experts: [ExpertWeights] = []
            for first in stride(from: 0, to: count, by: Self.batch) {
                let batch = first..<min(first + Self.batch, count)
                try ExpertWeights.readAhead(batch.map { (layer, $0) }, of: checkpoint)
                let stored = try batch.map { try ExpertWeights(from: checkpoint, layer: layer, expert: $0) }
                experts += ExpertWeights.converted(stored, to: dtype, by: converter, lettingGoOf: checkpoint)
            }
            held[layer] = experts
        }
        self.init(expertCount: count, tensorParallelSize: 1, holding: held)
    }

    /// Experts that are read from the disk and converted together: some 700 MB of R1's.
    private static let batch = 16

    /// Slices of a layer, held here or not.
    package var sliceCount: Int { expertCount * tensorParallelSize }

    /// Whether this process holds a slice: expert * tensorParallelSize + rank.
    package func holds(_ slice: Int, layer: Int) -> Bool {
        guard let experts = layers[layer], experts.indices.contains(slice) else { return false }
        return experts[slice] != nil
    }

    /// A slice that `holds` says is here.
    package func held(_ slice: Int, layer: Int) -> ExpertWeights {
        guard let expert = layers[layer]?[slice] else { preconditionFailure("the expert is not held here") }
        return expert
    }

    /// A layer's slices, nil where this process holds none. They are valid as long as the shard.
    func experts(of layer: Int) -> [UnownedExpert?] { unowned[layer] ?? [] }

    /// What the experts of a layer read their input as.
    func inputForms(of layer: Int) -> RowForms { forms[layer] ?? [] }

    /// All that is held.
    package var all: [ExpertWeights] { layers.values.flatMap { $0.compactMap(\.self) } }

    /// The same with what another shard holds.
    package func adding(_ other: ExpertShard) -> ExpertShard {
        precondition(other.expertCount == expertCount && other.tensorParallelSize == tensorParallelSize)
        return ExpertShard(
            expertCount: expertCount, tensorParallelSize: tensorParallelSize,
            holding: layers.merging(other.layers) { own, added in zip(own, added).map { $1 ?? $0 } })
    }

    /// The same without some slices of a layer.
    package func removing(_ slices: [Int], layer: Int) -> ExpertShard {
        var held = layers
        for slice in slices where holds(slice, layer: layer) { held[layer]?[slice] = nil }
        return ExpertShard(expertCount: expertCount, tensorParallelSize: tensorParallelSize, holding: held)
    }

    /// The widest intermediate slice that is held.
    package var maximumWidth: Int { all.map(\.width).max() ?? 0 }

    /// The widest of `count` slices that cut an intermediate width as evenly as can be.
    package static func widestSlice(of width: Int, count: Int) -> Int { (width + count - 1) / count }
}
