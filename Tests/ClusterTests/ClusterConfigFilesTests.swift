import Checkpoint
import Cluster
import Foundation
import Testing

/// The cluster files that users start from.
@Suite struct ClusterConfigFilesTests {
    static func plan(_ name: String, _ config: ModelConfig) throws -> (ClusterConfig, Plan) {
        let cluster = try ClusterConfig(file: Fixtures.path("cluster-configs/\(name).yaml"))
        let plan = try Plan(
            config: config, input: PlanInput(options: .init(), cluster: cluster), wire: PlanTests.bf16(config))
        return (cluster, plan)
    }

    @Test("each file in cluster-configs is read by a test of this suite")
    func all() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Fixtures.path("cluster-configs"))
        #expect(files.sorted() == ["four-hosts.yaml", "one-machine.yaml", "r1-64-workers.yaml"])
    }

    @Test("one machine: four equal workers on loopback for a small model")
    func oneMachine() throws {
        let (cluster, plan) = try Self.plan("one-machine", Fixtures.small())
        #expect(Set(cluster.workers.map(\.host)) == ["127.0.0.1"] && cluster.coordinator.host == "127.0.0.1")
        #expect(cluster.workers.map(\.name) == ["worker-1", "worker-2", "worker-3", "worker-4"])
        #expect(plan.report.workers.map(\.expertsPerLayerMax) == [64, 64, 64, 64])
    }

    @Test("four hosts: R1 fits, and the host with less memory holds fewer experts")
    func fourHosts() throws {
        let (cluster, plan) = try Self.plan("four-hosts", Fixtures.r1())
        #expect(Set(cluster.workers.map(\.host) + [cluster.coordinator.host]).count == 5)
        let experts = plan.report.workers.map(\.expertsPerLayerMax)
        #expect(experts[2] < experts[3] && experts.reduce(0, +) == 256)
        #expect(cluster.workers.map { $0.model ?? cluster.model }[2] == "/ssd/DeepSeek-R1")
    }

    @Test("64 workers: R1 at TP 8 x PP 2 x EP 4, a slice of 64 experts each")
    func sixtyFour() throws {
        let (cluster, plan) = try Self.plan("r1-64-workers", Fixtures.r1())
        #expect(cluster.parallelism.expert == 4 && cluster.workers.count == 64)
        #expect(cluster.workers[0].name == "worker-01" && cluster.workers[63].host == "10.0.2.64")
        #expect(plan.report.workers.allSatisfy { $0.expertsPerLayerMax == 64 && $0.layers == 29 })
        for worker in [0, 31, 32, 63] { #expect(plan.placement.slots(of: worker).count == 29 * 64) }
    }
}
