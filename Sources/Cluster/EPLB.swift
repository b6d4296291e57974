/// The published expert-parallel load balancer of DeepSeek (github.com/deepseek-ai/EPLB), hierarchical and global: same
/// numbers for same loads. Loads are f32, sorts are stable and descending, and ties go to the lowest index.
package struct EPLB: Sendable, Equatable {
    /// How the experts' replicas are to be spread.
    package struct Shape: Sendable, Hashable {
        /// Slots per layer.
        package var replicas: Int
        /// Groups of experts that the router limits itself to.
        package var groups: Int
        package var nodes: Int
        package var workers: Int

        package init(replicas: Int, groups: Int, nodes: Int, workers: Int) {
            self.replicas = replicas
            self.groups = groups
            self.nodes = nodes
            self.workers = workers
        }
    }

    /// [layers][replicas] the expert in each slot; worker w of W has the slots w x replicas / W and up.
    package let expertOfSlot: [[Int]]
    /// [layers][experts][replicas of the expert] the expert's slots, in the order they were made.
    package let slotsOfExpert: [[[Int]]]

    /// Places every layer by itself. Where the groups divide over the nodes, groups are packed on nodes first, then
    /// experts are replicated inside their node and packed on its workers; else nodes and groups are left out of
    /// account.
    /// - Parameter loads: [layers][experts] tokens.
    package init(loads: [[Float]], shape: Shape) throws(PolicyError) {
        try Self.check(experts: loads.first?.count ?? 0, shape)
        var shape = shape
        if !shape.groups.isMultiple(of: shape.nodes) { (shape.groups, shape.nodes) = (1, 1) }
        let layers = loads.map { Self.placeLayer($0, shape) }
        expertOfSlot = layers.map(\.expertOfSlot)
        slotsOfExpert = layers.map(\.slotsOfExpert)
    }

    /// [layers][experts]
    package var replicaCounts: [[Int]] { slotsOfExpert.map { $0.map(\.count) } }

    /// [layers][experts][X]: `slotsOfExpert` padded with -1 to the longest, the published form.
    package var paddedSlots: [[[Int]]] {
        let longest = slotsOfExpert.joined().map(\.count).max() ?? 0
        return slotsOfExpert.map { $0.map { $0 + Array(repeating: -1, count: longest - $0.count) } }
    }

    /// What the workers of the placement hold. Two replicas of one expert on one worker count once.
    /// - Parameter layers: the model's indices of the layers.
    package func holdings(layers: [Int], workers: Int) -> Holdings {
        let slots = (expertOfSlot.first?.count ?? 0) / workers
        var holdings = Holdings(layers: layers, experts: slotsOfExpert.first?.count ?? 0, tensor: 1)
        for (layer, experts) in zip(layers, slotsOfExpert) {
            for (expert, places) in experts.enumerated() {
                for place in places {
                    holdings.add(Slot(layer: layer, expert: expert, rank: 0), to: place / slots)
                }
            }
        }
        return holdings
    }

    private static func check(experts: Int, _ shape: Shape) throws(PolicyError) {
        for (name, value) in [
            ("experts", experts), ("groups", shape.groups), ("nodes", shape.nodes), ("workers", shape.workers),
        ] where value < 1 {
            throw .doesNotDivide(what: name, value: value, by: "1 or more", 1)
        }
        guard shape.replicas >= experts else { throw .fewerSlotsThanExperts(slots: shape.replicas, experts: experts) }
        try divide("slots", shape.replicas, "workers", shape.workers)
        guard shape.groups.isMultiple(of: shape.nodes) else { return }
        try divide("experts", experts, "groups", shape.groups)
        try divide("workers", shape.workers, "nodes", shape.nodes)
    }

    private static func divide(_ what: String, _ value: Int, _ by: String, _ divisor: Int) throws(PolicyError) {
        guard value.isMultiple(of: divisor) else {
            throw .doesNotDivide(what: what, value: value, by: by, divisor)
        }
    }
}

extension EPLB {
    private struct Layer {
        var expertOfSlot: [Int]
        var slotsOfExpert: [[Int]]
    }

    private static func placeLayer(_ loads: [Float], _ shape: Shape) -> Layer {
        let groupSize = loads.count / shape.groups
        let groups = (0..<shape.groups).map { loads[$0 * groupSize..<($0 + 1) * groupSize].reduce(0, +) }
        let nodes = pack(groups, into: shape.nodes)
        let slotsPerNode = shape.replicas / shape.nodes
        var layer = Layer(
            expertOfSlot: Array(repeating: 0, count: shape.replicas),
            slotsOfExpert: Array(repeating: [], count: loads.count))
        for (node, groups) in nodes.enumerated() {
            let experts = groups.flatMap { Array($0 * groupSize..<($0 + 1) * groupSize) }
            let replicas = replicate(experts.map { loads[$0] }, to: slotsPerNode)
            let packs = pack(replicas.loads, into: shape.workers / shape.nodes)
            var slotOfReplica = [Int](repeating: 0, count: slotsPerNode)
            for (slot, replica) in packs.joined().enumerated() { slotOfReplica[replica] = node * slotsPerNode + slot }
            for (replica, slot) in slotOfReplica.enumerated() {
                let expert = experts[replicas.origins[replica]]
                layer.expertOfSlot[slot] = expert
                layer.slotsOfExpert[expert].append(slot)
            }
        }
        return layer
    }

    /// Deals items to packs of equal count, heaviest first, each to the lightest pack with room.
    /// - Returns: [packs] the items of each pack in the order they came.
    private static func pack(_ weights: [Float], into count: Int) -> [[Int]] {
        let size = weights.count / count
        if size == 1 { return weights.indices.map { [$0] } }
        var packs = [[Int]](repeating: [], count: count)
        var sums = [Float](repeating: 0, count: count)
        for item in descending(weights) {
            var lightest: Int?
            for pack in 0..<count where packs[pack].count < size {
                if lightest.map({ sums[pack] < sums[$0] }) ?? true { lightest = pack }
            }
            guard let lightest else { preconditionFailure("as many places as items") }
            packs[lightest].append(item)
            sums[lightest] += weights[item]
        }
        return packs
    }

    /// Gives each further replica to the item with the most load per replica.
    /// - Returns: [count] the item of each replica, the items themselves first, and its load.
    private static func replicate(_ weights: [Float], to count: Int) -> (origins: [Int], loads: [Float]) {
        var origins = Array(weights.indices)
        var counts = [Float](repeating: 1, count: weights.count)
        while origins.count < count {
            var most = 0
            for item in weights.indices where weights[item] / counts[item] > weights[most] / counts[most] {
                most = item
            }
            origins.append(most)
            counts[most] += 1
        }
        return (origins, origins.map { weights[$0] / counts[$0] })
    }

    private static func descending(_ weights: [Float]) -> [Int] {
        weights.indices.sorted { weights[$0] == weights[$1] ? $0 < $1 : weights[$0] > weights[$1] }
    }
}
