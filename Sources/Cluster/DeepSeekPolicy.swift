/// Deals and rebalances by the published balancer (`EPLB`, global): every worker of a stage gets the same number of
/// slots in every layer, and speeds are left out of account. What the balancer has no notion of, such as a worker that
/// comes, leaves or is lost, goes by `incremental`.
package struct DeepSeekPolicy: Sendable, Hashable {
    /// Also says how many experts are redundant, and what gain a rebalance must have.
    package var incremental: CohortPolicy

    package init(incremental: CohortPolicy) { self.incremental = incremental }

    /// A placement from nothing; what `input.holdings` holds is not looked at.
    /// - Throws: when experts are cut into slices, or the worker with the least memory has too little.
    package func deal(_ input: PolicyInput) throws(PolicyError) -> Holdings {
        let (layers, experts) = (input.holdings.layers, input.holdings.expertCount)
        guard input.holdings.tensor == 1 else { throw .slicedExperts(tensor: input.holdings.tensor) }
        var holdings = Holdings(layers: layers, experts: experts, tensor: 1)
        for stage in input.stages {
            let crew = input.workers.filter { $0.stage == stage.index && $0.takesSlots }
            let replicas = try slotsPerLayer(crew, stage, experts: experts) * crew.count
            let loads = stage.layers.compactMap { layers.firstIndex(of: $0) }.map {
                input.loads.weights(position: $0).map(Float.init)
            }
            let shape = EPLB.Shape(replicas: replicas, groups: 1, nodes: 1, workers: crew.count)
            for (layer, slots) in zip(stage.layers, try EPLB(loads: loads, shape: shape).expertOfSlot) {
                for (place, expert) in slots.enumerated() {
                    let worker = crew[place / (replicas / crew.count)].index
                    holdings.add(Slot(layer: layer, expert: expert, rank: 0), to: worker)
                }
            }
        }
        return holdings
    }

    /// The way to what `deal` gives for the loads; nothing when too little is gained.
    package func rebalance(_ input: PolicyInput) -> Rearrangement {
        guard let target = try? deal(input) else { return incremental.rebalance(input) }
        let order = target.layers.flatMap { layer in
            (0..<target.expertCount).flatMap { expert in
                let slot = Slot(layer: layer, expert: expert, rank: 0)
                return target.holders(of: slot).map { PlacementChange.Free(slot: slot, worker: $0) }
            }
        }
        let way = Rearrangement(input: input, target: target, order: order)
        let isWorthIt = way.gain >= incremental.threshold || !input.holdings.isWhole
        return isWorthIt ? way : .nothing(way.before, unplaced: input.holdings.missing)
    }

    private func slotsPerLayer(
        _ crew: [WorkerCapacity], _ stage: Stage, experts: Int
    ) throws(PolicyError) -> Int {
        let least = (crew.map(\.slots).min() ?? 0) / max(1, stage.layers.count)
        let needed = (experts + max(1, crew.count) - 1) / max(1, crew.count)
        guard needed <= least else {
            throw .tooFewSlots(stage: stage.index, needed: experts, available: least * crew.count)
        }
        guard let redundant = incremental.redundantExperts else { return max(needed, least / 10 * 9) }
        return min(least, (experts + redundant + crew.count - 1) / crew.count)
    }
}
