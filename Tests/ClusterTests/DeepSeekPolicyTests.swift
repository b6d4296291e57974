import Cluster
import Testing

@Suite struct DeepSeekPolicyTests {
    /// Two stages of two layers, workers of unlike memory.
    static func input(slots: [Int], tensor: Int = 1, loads: [Double]? = nil) throws -> PolicyInput {
        let crew = slots.count / 2
        let layers = [3, 4, 5, 6]
        let stages = (0..<2).map { stage in
            Stage(index: stage, layers: [3 + 2 * stage, 4 + 2 * stage], workers: stage * crew..<(stage + 1) * crew)
        }
        let tokens = loads ?? (0..<layers.count * 12).map { Double(1000 / ($0 * 7 % 12 + 1)) }
        return try PolicyInput(
            holdings: Holdings(layers: layers, experts: 12, tensor: tensor), stages: stages,
            workers: slots.enumerated().map { WorkerCapacity(index: $0, stage: $0 / crew, slots: $1) },
            loads: ExpertLoads(layers: layers, experts: 12, tokens: tokens),
            sliceBytes: Array(repeating: 1000, count: tensor))
    }

    static func policy(_ redundant: Int?) -> DeepSeekPolicy {
        DeepSeekPolicy(incremental: CohortPolicy(redundantExperts: redundant, threshold: 0.01))
    }

    @Test("deals what the published balancer gives for each stage")
    func deal() throws {
        let input = try Self.input(slots: [10, 20, 20, 10, 10, 10])
        let holdings = try Self.policy(3).deal(input)
        for stage in input.stages {
            let loads = stage.layers.map { layer in input.loads.weights(position: layer - 3).map(Float.init) }
            let published = try EPLB(
                loads: loads, shape: EPLB.Shape(replicas: 15, groups: 1, nodes: 1, workers: 3))
            for (layer, slots) in zip(stage.layers, published.expertOfSlot) {
                for (place, expert) in slots.enumerated() {
                    let holders = holdings.holders(of: Slot(layer: layer, expert: expert, rank: 0))
                    #expect(holders.contains(stage.index * 3 + place / 5))
                }
            }
        }
        #expect(holdings.isWhole && input.workers.allSatisfy { holdings.slotCount(of: $0.index) <= $0.slots })
    }

    @Test("without a number of redundant experts it fills nine tenths of the least memory")
    func memory() throws {
        let holdings = try Self.policy(nil).deal(Self.input(slots: [20, 40, 20, 40]))
        #expect(holdings.isWhole && (0..<4).allSatisfy { holdings.slotCount(of: $0) <= 18 })
        #expect((0..<4).contains { holdings.slotCount(of: $0) > 12 })
    }

    @Test("a rebalance is the way to what it would deal, and none when nothing is gained")
    func rebalance() throws {
        var input = try Self.input(slots: [20, 20, 20, 20])
        let policy = Self.policy(2)
        input.holdings = try policy.deal(input)
        #expect(policy.rebalance(input).isEmpty)
        let other = (0..<48).map { Double($0 * $0 % 13) }
        input = try Self.input(slots: [20, 20, 20, 20], loads: other)
        input.holdings = try policy.deal(Self.input(slots: [20, 20, 20, 20]))
        let way = PlacementPolicy.deepseek(policy).rearrange(.rebalance, input)
        #expect(!way.isEmpty)
        #expect(try CohortPolicyTests.carryOut(way, input) == policy.deal(input))
    }

    @Test("what it cannot place is refused with a reason: too little memory, experts in slices")
    func refusals() throws {
        #expect(throws: PolicyError.tooFewSlots(stage: 1, needed: 12, available: 10)) {
            try Self.policy(0).deal(Self.input(slots: [20, 20, 20, 10]))
        }
        #expect(throws: PolicyError.slicedExperts(tensor: 2)) {
            try Self.policy(0).deal(Self.input(slots: [90, 90, 90, 90], tensor: 2))
        }
    }

    @Test("a lost worker's experts are placed as the other policy places them")
    func repair() throws {
        var input = try Self.input(slots: [20, 20, 20, 20])
        let policy = Self.policy(2)
        input.holdings = try policy.deal(input)
        input.holdings.removeAll(of: 1)
        input.workers.removeAll { $0.index == 1 }
        let way = PlacementPolicy.deepseek(policy).rearrange(.repair, input)
        #expect(CohortPolicyTests.carryOut(way, input).missing == way.unplaced && !way.isEmpty)
    }
}
