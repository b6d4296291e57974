import Cluster
import Foundation
import Testing

@Suite struct EPLBTests {
    struct Vectors: Decodable {
        struct Case: Decodable {
            enum CodingKeys: String, CodingKey {
                case name, weight, phy2log, logcnt, log2phy
                case replicas = "num_replicas"
                case groups = "num_groups"
                case nodes = "num_nodes"
                case workers = "num_gpus"
                case workerLoads = "gpu_loads"
            }

            let name: String
            let weight: [[Float]]
            let replicas: Int
            let groups: Int
            let nodes: Int
            let workers: Int
            let phy2log: [[Int]]
            let logcnt: [[Int]]
            let log2phy: [[[Int]]]?
            let workerLoads: [[Float]]?
        }

        struct Large: Decodable {
            struct Case: Decodable {
                enum CodingKeys: String, CodingKey {
                    case phy2log, log2phy, logcnt
                    case layers = "L"
                    case replicas = "R"
                    case nodes = "N"
                    case workers = "P"
                    case balance = "mean_max_over_mean"
                }

                let layers: Int
                let replicas: Int
                let nodes: Int
                let workers: Int
                let phy2log: String
                let log2phy: String
                let logcnt: String
                let balance: Double
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
                    replicas: vector.replicas, groups: vector.groups, nodes: vector.nodes,
                    workers: vector.workers))
            #expect(eplb.expertOfSlot == vector.phy2log, "\(vector.name)")
            #expect(eplb.replicaCounts == vector.logcnt, "\(vector.name)")
            if let slots = vector.log2phy { #expect(eplb.paddedSlots == slots) }
            if let loads = vector.workerLoads {
                #expect(Self.workerLoads(eplb, vector.weight, workers: vector.workers) == loads)
            }
        }
    }

    @Test("equals the digests of large cases of R1's size, and their balance")
    func large() throws {
        for vector in try Self.vectors().large.cases {
            var state: UInt64 = 1
            let loads = (0..<vector.layers).map { _ in
                (0..<256).map { _ in
                    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    return Float((state >> 33) % 1000)
                }
            }
            let eplb = try EPLB(
                loads: loads,
                shape: EPLB.Shape(replicas: vector.replicas, groups: 8, nodes: vector.nodes, workers: vector.workers))
            func digest(_ value: some Encodable) throws -> String {
                String(Digest.sha256(Array(try JSONEncoder().encode(value))).prefix(16))
            }
            #expect(try digest(eplb.expertOfSlot) == vector.phy2log)
            #expect(try digest(eplb.paddedSlots) == vector.log2phy)
            #expect(try digest(eplb.replicaCounts) == vector.logcnt)
            let ratios = Self.workerLoads(eplb, loads, workers: vector.workers).map { loads in
                Double(loads.max()! / (loads.reduce(0, +) / Float(loads.count)))
            }
            #expect(abs(ratios.reduce(0, +) / Double(ratios.count) - vector.balance) < 1e-4)
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
