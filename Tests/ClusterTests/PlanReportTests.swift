import Cluster
import Foundation
import Testing

@Suite struct PlanReportTests {
    static func report() throws -> PlanReport {
        try PlanTests.report(Fixtures.r1(), .init(tensor: 8, pipeline: 2, expert: 4, concurrency: 16))
    }

    @Test("the JSON has snake-case keys, which stay, and says what the report says")
    func json() throws {
        let report = try Self.report()
        let text = try report.json()
        let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(
            object.keys.sorted() == [
                "assumptions", "ceilings", "concurrency", "context", "coordinator", "is_measured", "model", "split",
                "totals", "workers",
            ])
        let workers = try #require(object["workers"] as? [[String: Any]])
        #expect(workers.count == 64)
        #expect(
            workers[0].keys.sorted() == [
                "experts_per_layer_max", "experts_per_layer_min", "layers", "link_bandwidth", "memory_bandwidth",
                "name", "network_bytes_back_per_token", "network_bytes_out_per_token", "stage", "weight_bytes",
            ])
        #expect(workers[0]["weight_bytes"] as? Int == report.workers[0].weightBytes)
        let coordinator = try #require(object["coordinator"] as? [String: Any])
        #expect(coordinator["kv_bytes"] as? Int == 16 * 4096 * 70_272)
        let ceilings = try #require(object["ceilings"] as? [[String: Any]])
        #expect(ceilings.map { $0["concurrency"] as? Int } == [1, 16])
        #expect(ceilings[0]["bound"] as? String == "coordinator_memory")
        let split = try #require(object["split"] as? [String: Any])
        #expect(split["tensor_parallel_size"] as? Int == 8 && split["expert_parallel_size"] as? Int == 4)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        #expect(try decoder.decode(PlanReport.self, from: Data(text.utf8)) == report)
    }

    @Test("the text has aligned tables in which like workers share a row")
    func text() throws {
        let text = "\(PlanText(try Self.report()))"
        #expect(text.contains("split: TP 8 x PP 2 x EP 4 = 64 workers"))
        #expect(text.contains("70,272 B of KV cache per position"))
        #expect(text.contains("worker-1 to worker-32 (32, each)") && text.contains("worker-33 to worker-64"))
        #expect(text.contains("256 of 2,048"))
        #expect(text.contains("assumed: memory bandwidth is 200 GB/s"))
        let parts = text.components(separatedBy: "\n\n").map { $0.split(separator: "\n") }
        #expect(parts.count == 5)
        for table in parts[1...3] { #expect(Set(table.map(\.count)).count == 1) }
        #expect(parts[2].count == 4)
    }

    @Test("an odd number of workers is told without an EP")
    func odd() throws {
        let cluster = try ClusterConfig(
            yaml: ClusterConfigTests.head + """
                parallelism: {tensor-parallel-size: 2}
                workers: [{name: "w[1-5]", host: h, memory: 1TB}]
                """, file: "c.yaml")
        let report = try PlanTests.report(Fixtures.r1(), .init(), cluster: cluster)
        #expect("\(PlanText(report))".contains("split: TP 2 x PP 1 over 5 workers"))
        #expect(report.split.expertParallelSize == nil)
        #expect(report.assumptions.count == 3)
    }
}
