/// A placement by the names of its workers, so that it outlives the numbers of one run.
package struct NamedPlacement: Hashable, Sendable {
    /// The MoE layers, ascending.
    package let layers: [Int]
    package let expertCount: Int
    package let tensor: Int
    /// Those that hold something, in the order of their numbers.
    package let workers: [String]
    /// [layers][experts x tensor] the holders of each slot by their place in `workers`, the preferred one first.
    let holders: [[[Int]]]

    init(layers: [Int], experts: Int, tensor: Int, workers: [String], holders: [[[Int]]]) {
        self.layers = layers
        expertCount = experts
        self.tensor = tensor
        self.workers = workers
        self.holders = holders
    }

    /// - Parameter names: by worker index.
    /// - Returns: nil where somebody holds a slot and has no name.
    package init?(_ placement: Placement, names: [String]) {
        let tables = placement.layers.map { placement.table(layer: $0) }
        let indices = Set(tables.flatMap(\.holders)).map(Int.init).sorted()
        guard indices.allSatisfy(names.indices.contains) else { return nil }
        let places = Dictionary(uniqueKeysWithValues: indices.enumerated().map { ($1, $0) })
        self.init(
            layers: placement.layers, experts: placement.expertCount, tensor: placement.parallelism.tensor,
            workers: indices.map { names[$0] },
            holders: tables.map { table in
                (0..<table.rowCount).map { row in table[row].compactMap { places[Int($0)] } }
            })
    }

    /// The same placement on a cluster's workers. Whether they have room for it is not looked at.
    /// - Parameters:
    ///   - names: by worker index.
    ///   - experts: routed experts per layer of the model.
    /// - Returns: nil where the cluster has other workers, cuts experts or layers otherwise, or runs another model: the
    ///   caller deals anew.
    package func placed(
        on names: [String], epoch: UInt32, parallelism: Parallelism, stages: [Stage], experts: Int
    ) -> Placement? {
        guard layers == stages.flatMap(\.layers), expertCount == experts, tensor == parallelism.tensor,
            names.count == workers.count, parallelism.workers == names.count
        else { return nil }
        let indices = workers.compactMap { names.firstIndex(of: $0) }
        guard Set(indices).count == names.count else { return nil }
        var rowsOfLayer: [Int: [[Int]]] = [:]
        for (layer, rows) in zip(layers, holders) { rowsOfLayer[layer] = rows.map { $0.map { indices[$0] } } }
        for stage in stages {
            let isOwn = stage.layers.allSatisfy {
                rowsOfLayer[$0]?.joined().allSatisfy(stage.workers.contains) ?? false
            }
            guard isOwn else { return nil }
        }
        return try? Placement(epoch: epoch, parallelism: parallelism, stages: stages, experts: experts) { slot in
            rowsOfLayer[slot.layer]?[slot.expert * tensor + slot.rank] ?? []
        }
    }
}
