import Cluster
import Foundation
import HTTPAPI
import Hummingbird
import TestSupport
import Testing

@Suite("The admin API", .timeLimit(.minutes(2))) struct AdminAPITests {
    private static let shown: HTTPFields = [.authorization: "Bearer secret"]

    /// - Parameter cluster: nil where the server has no workers.
    private func serve(
        _ cluster: FakeCluster?, _ body: @Sendable @escaping (TinyServer.Client) async throws -> Void
    ) async throws {
        try await TinyServer(adminKey: APIKey("secret"), cluster: cluster).serve(body)
    }

    @Test("shows the status and the load statistics as they are")
    func reads() async throws {
        let cluster = try FakeCluster()
        try await serve(cluster) { client in
            let status = try await client.get("/admin/status", headers: Self.shown)
            #expect(status.status == 200 && status.headers[.contentType] == "application/json")
            #expect(ClusterStatus(json: Array(status.text.utf8)) == FakeCluster.sample)
            let workers = try #require(try status.object()["workers"] as? [[String: Any]])
            #expect(workers.first?["memory_bytes"] as? Int == 8_000_000)
            let loads = try await client.get("/admin/loads", headers: Self.shown)
            #expect(Array(loads.text.utf8) == LoadFile.encode(cluster.statistics))
        }
    }

    @Test("hands commands on, and tells what was accepted from what is under way")
    func commands() async throws {
        let cluster = try FakeCluster()
        let rebalance = Rebalance(holdings: Holdings(cluster.placement), epoch: 7)
        cluster.replies = [.accepted, .accepted, .underWay(rebalance.status)]
        try await serve(cluster) { client in
            let rebalance = try await client.send(.post, "/admin/rebalance", headers: Self.shown)
            let drain = try await client.send(.post, "/admin/workers/rack%201%2Fa/drain", headers: Self.shown)
            let again = try await client.send(.post, "/admin/workers/b/drain", headers: Self.shown)
            let remove = try await client.send(.delete, "/admin/workers/c", headers: Self.shown)
            #expect([rebalance, drain, again, remove].map(\.status) == [202, 202, 200, 202])
            for answer in [rebalance, drain, again, remove] {
                #expect(ClusterStatus(json: Array(answer.text.utf8)) == FakeCluster.sample)
            }
        }
        #expect(
            cluster.commands == [.rebalance, .drain(name: "rack 1/a"), .drain(name: "b"), .remove(name: "c")])
    }

    @Test("says why it refuses: 404 for an unknown worker, 409 for the rest")
    func refusals() async throws {
        let cluster = try FakeCluster()
        let errors: [MembershipError] = [.unknown("x", known: ["a"]), .noRoom("a", slots: 3), .notReady("a", .joining)]
        cluster.replies = errors.map(ClusterReply.refused)
        try await serve(cluster) { client in
            for (error, status) in zip(errors, [404, 409, 409]) {
                let answer = try await client.send(.post, "/admin/workers/x/drain", headers: Self.shown)
                #expect(answer.status == status)
                #expect(try answer.error()["message"] as? String == error.description)
            }
            #expect(try await client.send(.post, "/admin/workers/%ff/drain", headers: Self.shown).status == 400)
            #expect(try await client.get("/admin/nothing", headers: Self.shown).status == 404)
        }
        #expect(cluster.commands.count == errors.count)
    }

    @Test("does nothing without its own key")
    func key() async throws {
        let cluster = try FakeCluster()
        let tiny = try TinyServer(key: APIKey("other"), adminKey: APIKey("secret"), cluster: cluster)
        try await tiny.serve { client in
            for headers: HTTPFields in [[:], [.authorization: "Bearer other"], [.authorization: "Bearer secretsecret"]]
            {
                for (method, path): (HTTPRequest.Method, String) in [
                    (.get, "status"), (.get, "loads"), (.get, "placement"), (.post, "rebalance"),
                    (.post, "workers/a/drain"), (.delete, "workers/a"),
                ] {
                    let answer = try await client.send(method, "/admin/\(path)", headers: headers)
                    #expect(answer.status == 401, "\(path)")
                    #expect(try answer.error()["code"] as? String == "invalid_api_key")
                }
            }
            #expect(try await client.get("/v1/models", headers: Self.shown).status == 401)
        }
        #expect(cluster.commands.isEmpty)
    }

    @Test("says that there is no cluster where there is none, and no path where there is no key")
    func absent() async throws {
        try await serve(nil) { client in
            let answer = try await client.get("/admin/status", headers: Self.shown)
            #expect(answer.status == 404)
            #expect(try answer.error()["code"] as? String == "no_cluster")
        }
        try await TinyServer().serve { client in
            let answer = try await client.get("/admin/status")
            #expect(try answer.error()["code"] as? String == "unknown_url")
        }
    }

    @Test("records the load and who holds what, under one epoch")
    func placement() async throws {
        let cluster = try FakeCluster()
        cluster.status.epoch = cluster.placement.epoch
        let names = FakeCluster.sample.workers.map(\.name)
        try await serve(cluster) { client in
            let answer = try await client.get("/admin/placement", headers: Self.shown)
            let (statistics, placement) = try PlacementFile.decode(Array(answer.text.utf8), file: "answer")
            #expect(answer.status == 200)
            #expect(statistics.loads() == cluster.statistics.loads())
            #expect(placement == NamedPlacement(cluster.placement, names: names))
        }
    }

    @Test("the server is not well, and takes no completion, while something stands in the way")
    func health() async throws {
        let interlude = Obstruction()
        let tiny = try TinyServer(interlude: interlude)
        try await tiny.serve { client in
            #expect(try await client.get("/health").status == 200)
            interlude.obstacle = "experts are missing"
            while tiny.runner.load.obstacle == nil { try await Task.sleep(for: .milliseconds(1)) }
            let failing = try await client.get("/health")
            #expect(failing.status == 503)
            #expect(try failing.object()["reason"] as? String == "experts are missing")
            let refused = try await client.complete(#"{"prompt": "a"}"#)
            #expect(refused.status == 503 && refused.text.contains("experts are missing"))
            interlude.obstacle = nil
            while tiny.runner.load.obstacle != nil { try await Task.sleep(for: .milliseconds(1)) }
            #expect(try await client.get("/health").status == 200)
            #expect(try await client.complete(#"{"prompt": "a", "max_tokens": 1}"#).status == 200)
        }
    }

    @Test("the metrics tell of the cluster and of each worker")
    func metrics() async throws {
        let cluster = try FakeCluster()
        cluster.status.workers[0].name = "a\"b"
        try await TinyServer(cluster: cluster).serve { client in
            let text = try await client.get("/metrics").text
            for line in [
                "cohort_placement_epoch 7", "cohort_balancedness 0.875", "cohort_missing_slots 0",
                "cohort_migrated_bytes_total 12000000", "cohort_lost_workers_total 1",
                "cohort_resent_pairs_total 1234", "cohort_hedged_pairs_total 0",
                #"cohort_worker_state{worker="worker-3",state="lost"} 1"#,
                #"cohort_worker_state{worker="worker-3",state="ready"} 0"#,
                #"cohort_worker_state{worker="a\"b",state="ready"} 1"#, #"cohort_worker_slots{worker="worker-2"} 4"#,
                #"cohort_worker_busy_share{worker="worker-2"} 0.25"#,
                #"cohort_worker_wait_seconds{worker="worker-2"} 0.0015"#,
            ] {
                #expect(text.contains("\n" + line + "\n"), "\(line)")
            }
            let names = text.split(separator: "\n").filter { $0.hasPrefix("# TYPE") }
            #expect(Set(names).count == names.count, "no metric is told twice")
        }
    }
}
