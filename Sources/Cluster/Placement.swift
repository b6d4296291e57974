/// Which workers hold which slices of which experts: a value that is replaced as a whole, by one of a higher epoch.
package struct Placement: Hashable, Sendable {
    /// The version; every dispatch carries it.
    package let epoch: UInt32
    package let parallelism: Parallelism
    package let stages: [Stage]
    package let expertCount: Int
    /// Indexed by layer; nil where the layer has no routed experts.
    private let tables: [SlotTable?]

    /// Spreads the experts of each layer over the workers of its stage, in proportion to their weights.
    ///
    /// Slice (e, r) goes, in this order, to the worker furthest below its share that holds no slice of e yet; ties go
    /// to the lower index. With equal weights that is worker (e x tensor + r) mod W of the stage's W workers.
    /// - Parameters:
    ///   - layers: the MoE layers, ascending.
    ///   - experts: routed experts per layer.
    ///   - workerWeights: [workers], capacities in any unit, positive.
    package static func uniform(
        layers: [Int], experts: Int, parallelism: Parallelism, workerWeights: [Double]
    ) throws(PlacementError) -> Placement {
        guard experts >= 1, !layers.isEmpty else { throw .noExperts }
        let stages = try Stage.cut(layers: layers, parallelism: parallelism, workerWeights: workerWeights)
        var rowsOfLayer: [Int: [[Int]]] = [:]
        for stage in stages {
            let rows = Self.deal(
                experts: experts, tensor: parallelism.tensor, workers: stage.workers,
                weights: Array(workerWeights[stage.workers]))
            for layer in stage.layers { rowsOfLayer[layer] = rows }
        }
        return try Placement(epoch: 0, parallelism: parallelism, stages: stages, experts: experts) { slot in
            rowsOfLayer[slot.layer].map { $0[slot.expert * parallelism.tensor + slot.rank] } ?? []
        }
    }

    /// Any placement, replicas included: `workers` names the holders of a slot, the preferred one first.
    package init(
        epoch: UInt32, parallelism: Parallelism, stages: [Stage], experts: Int, workers: (Slot) -> [Int]
    ) throws(PlacementError) {
        guard experts >= 1, let last = stages.last?.layers.last else { throw .noExperts }
        var tables = [SlotTable?](repeating: nil, count: last + 1)
        for layer in stages.flatMap(\.layers) {
            var rows: [[Int]] = []
            rows.reserveCapacity(experts * parallelism.tensor)
            for expert in 0..<experts {
                let slices = (0..<parallelism.tensor).map { workers(Slot(layer: layer, expert: expert, rank: $0)) }
                try Self.check(slices, layer: layer, expert: expert, workerCount: parallelism.workers)
                rows += slices
            }
            tables[layer] = SlotTable(tensor: parallelism.tensor, rows: rows)
        }
        self.epoch = epoch
        self.parallelism = parallelism
        self.stages = stages
        self.expertCount = experts
        self.tables = tables
    }

    /// The MoE layers, ascending.
    package var layers: [Int] { stages.flatMap(\.layers) }

    /// The flat table of a MoE layer, O(1). A layer without experts is a bug of the caller.
    package func table(layer: Int) -> SlotTable {
        guard let table = tables[layer] else { preconditionFailure("layer \(layer) has no routed experts") }
        return table
    }

    /// The workers that hold a slot, the preferred one first.
    package func workers(layer: Int, expert: Int, rank: Int) -> [Int] {
        table(layer: layer)[expert * parallelism.tensor + rank].map(Int.init)
    }

    /// Every slot of a worker in the order of layer, expert, rank.
    package func slots(of worker: Int) -> [Slot] {
        layers.flatMap { layer in
            table(layer: layer).rows(of: worker).map { row in
                Slot(layer: layer, expert: row / parallelism.tensor, rank: row % parallelism.tensor)
            }
        }
    }

    /// The stage that owns a MoE layer.
    package func stage(layer: Int) -> Stage? { stages.first { $0.layers.contains(layer) } }

    /// [experts x tensor] rows, each with the one worker that gets it.
    private static func deal(experts: Int, tensor: Int, workers: Range<Int>, weights: [Double]) -> [[Int]] {
        let shares = Apportionment.cappedShares(weights: weights, tensor: tensor)
        var held = [Int](repeating: 0, count: shares.count)
        var dealt = 0
        var rows: [[Int]] = []
        for _ in 0..<experts {
            var taken = Set<Int>()
            for _ in 0..<tensor {
                dealt += 1
                let below = shares.indices.map { Double(dealt) * shares[$0] - Double(held[$0]) }
                let free = shares.indices.filter { !taken.contains($0) }
                let next = free.reduce(free[0]) { below[$1] > below[$0] ? $1 : $0 }
                taken.insert(next)
                held[next] += 1
                rows.append([workers.lowerBound + next])
            }
        }
        return rows
    }

    private static func check(
        _ slices: [[Int]], layer: Int, expert: Int, workerCount: Int
    ) throws(PlacementError) {
        for (rank, holders) in slices.enumerated() {
            var seen = Set<Int>()
            let slot = Slot(layer: layer, expert: expert, rank: rank)
            if holders.isEmpty { throw .noWorker(slot) }
            for worker in holders {
                guard (0..<workerCount).contains(worker) else {
                    throw .unknownWorker(slot, worker: worker, workers: workerCount)
                }
                guard seen.insert(worker).inserted else {
                    throw .workerHoldsTwice(slot, worker: worker)
                }
            }
        }
    }
}
