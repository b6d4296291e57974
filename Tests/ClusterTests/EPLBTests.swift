import Cluster
import Foundation
import Testing

@Suite struct EPLBTests {
    struct Vectors: Decodable {
        struct Case: Decodable {
            let name: String
            let weight: [[Float]]
            let num_replicas: Int
            let num_groups: Int
            let num_nodes: Int
            let num_gpus: Int
            let phy2log: [[Int]]
            let logcnt: [[Int]]
            let log2phy: [[[Int]]]?
            let gpu_loads: [[Float]]?
        }

        struct Large: Decodable {
            struct Case: Decodable {
                let L: Int
                let R: Int
                let N: Int
                let P: Int
                let phy2log: String
                let log2phy: String
                let logcnt: String
                let mean_max_over_mean: Double
            }

            let cases: [Case]
        }

        let cases: [Case]
        let large: Large
    }

    static func vectors() throws -> Vectors {
        let path = Fixtures.path("Tests/ClusterTests/Fixtures/eplb-vectors.json")
        return try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    }

    /// Tokens of each worker, an expert's tokens split evenly over its slots.
    static func workerLoads(_ eplb: EPLB, _ loads: [[Float]], workers: Int) -> [[Float]] {
        let counts = eplb.replicaCounts
        return eplb.expertOfSlot.enumerated().map { layer, experts in
            let size = experts.count / workers
            return (0..<workers).map { worker in
                experts[worker * size..<(worker + 1) * size].reduce(0) {
                    $0 + loads[layer][$1] / Float(counts[layer][$1])
                }
            }
        }
    }

    @Test("equals the published example and the recorded cases")
    func cases() throws {
        let vectors = try Self.vectors()
        #expect(vectors.cases.count == 3)
        for vector in vectors.cases {
            let eplb = try EPLB(
                loads: vector.weight,
                shape: EPLB.Shape(
                    replicas: vector.num_replicas, groups: vector.num_groups, nodes: vector.num_nodes,
                    workers: vector.num_gpus))
            #expect(eplb.expertOfSlot == vector.phy2log, "\(vector.name)")
            #expect(eplb.replicaCounts == vector.logcnt, "\(vector.name)")
            if let slots = vector.log2phy { #expect(eplb.paddedSlots == slots) }
            if let loads = vector.gpu_loads {
                #expect(Self.workerLoads(eplb, vector.weight, workers: vector.num_gpus) == loads)
            }
        }
    }

    @Test("equals the digests of large cases of R1's size, and their balance")
    func large() throws {
        for vector in try Self.vectors().large.cases {
            var state: UInt64 = 1
            let loads = (0..<vector.L).map { _ in
                (0..<256).map { _ in
                    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    return Float((state >> 33) % 1000)
                }
            }
            let eplb = try EPLB(
                loads: loads,
                shape: EPLB.Shape(replicas: vector.R, groups: 8, nodes: vector.N, workers: vector.P))
            func digest(_ value: some Encodable) throws -> String {
                String(Digest.sha256(Array(try JSONEncoder().encode(value))).prefix(16))
            }
            #expect(try digest(eplb.expertOfSlot) == vector.phy2log)
            #expect(try digest(eplb.paddedSlots) == vector.log2phy)
            #expect(try digest(eplb.replicaCounts) == vector.logcnt)
            let ratios = Self.workerLoads(eplb, loads, workers: vector.P).map { loads in
                Double(loads.max()! / (loads.reduce(0, +) / Float(loads.count)))
            }
            #expect(abs(ratios.reduce(0, +) / Double(ratios.count) - vector.mean_max_over_mean) < 1e-4)
        }
    }

    @Test("its slots become holdings, two replicas on one worker counting once")
    func holdings() throws {
        let loads: [[Float]] = [[90, 1, 1, 1], [1, 1, 50, 50]]
        let eplb = try EPLB(loads: loads, shape: EPLB.Shape(replicas: 6, groups: 1, nodes: 1, workers: 2))
        let holdings = eplb.holdings(layers: [3, 4], workers: 2)
        #expect(holdings.isWhole)
        for (position, layer) in [3, 4].enumerated() {
            for (slot, expert) in eplb.expertOfSlot[position].enumerated() {
                #expect(holdings.holders(of: Slot(layer: layer, expert: expert, rank: 0)).contains(slot / 3))
            }
        }
        #expect(eplb.replicaCounts[0][0] == 3)
        #expect(holdings.holders(of: Slot(layer: 3, expert: 0, rank: 0)) == [0, 1])
    }

    @Test("numbers that do not divide are refused")
    func refusals() {
        let loads: [[Float]] = [[1, 2, 3, 4]]
        #expect(throws: PolicyError.doesNotDivide(what: "slots", value: 6, by: "workers", 4)) {
            try EPLB(loads: loads, shape: EPLB.Shape(replicas: 6, groups: 1, nodes: 1, workers: 4))
        }
        #expect(throws: PolicyError.fewerSlotsThanExperts(slots: 2, experts: 4)) {
            try EPLB(loads: loads, shape: EPLB.Shape(replicas: 2, groups: 1, nodes: 1, workers: 2))
        }
    }
}
