import Cluster
import Foundation
import TestSupport
import Testing

/// Servers whose workers come, leave and die while requests run: plans as data.
@Suite(.timeLimit(.minutes(2))) struct MembershipPlanTests {
    /// Who belongs to the cluster, one set after the other. Whom a set no longer has is drained; a negative number is
    /// killed.
    static let plans: [[[Int]]] = [
        [[0, 1, 2, 3], [0, 1, 2, 3, 4, 5], [0, 1, 2, -3, 4, 5], [0, 1]],
        [[1, 2], [1, -2], [1, 2], [2], [2, 3], [-2, 3], [3, 2, 1]],
        [[1, 2, 3], [-1, -2, 3], [3, 4], [1, 4], [-1, -4, 2], [1, 2]],
    ]

    private static let model = Fixture("v2-lite").model

    @Test("whoever comes, leaves or dies, no request fails or changes", arguments: plans)
    func follow(_ plan: [[Int]]) async throws {
        try await Scene.play { scene in
            let cluster = try ServedCluster(scene, names: Set(try #require(plan.first)))
            let server = try await cluster.start(Self.model, ["--recovery-timeout", "30"])
            let expected = try await ServedCompletion.ask(cluster.httpPort)
            #expect(expected.status == 200, "\(expected.text)")
            for set in plan.dropFirst() {
                let seen = try await ServedCompletion.asked(cluster.httpPort) { try await cluster.become(set) }
                #expect(seen.allSatisfy { $0.status == 200 && $0.content == expected.content }, "\(set)")
                let status = try await cluster.status()
                #expect(Set(status.present) == Set(set.filter { $0 >= 0 }.map(ServedCluster.name)), "\(set)")
                #expect(try await ServedCompletion.ask(cluster.httpPort).content == expected.content, "\(set)")
                #expect(cluster.memory(in: status).allSatisfy { $0 == 1 << 30 }, "what the file says")
            }
            server.signal(SIGTERM)
            #expect(try await server.end().status == 0)
        }
    }

    @Test("a worker that hangs for a while holds up one step, where others hold what it holds")
    func late() async throws {
        try await Scene.play { scene in
            let cluster = try ServedCluster(scene, names: [1, 2, 3])
            let server = try await cluster.start(Self.model, [])
            let expected = try await ServedCompletion.ask(cluster.httpPort)
            cluster.signal(2, SIGSTOP)
            #expect(try await ServedCompletion.ask(cluster.httpPort).content == expected.content)
            cluster.signal(2, SIGCONT)
            #expect(try await ServedCompletion.ask(cluster.httpPort).content == expected.content)
            // The picture is drawn a few times a second.
            try await Task.sleep(for: .seconds(1))
            let totals = try await cluster.status().totals
            // There are 60 steps of several layers: every one would ask others for a pair or more.
            #expect(1..<40 ~= totals.hedgedPairs, "\(totals)")
            server.signal(SIGTERM)
            #expect(try await server.end().status == 0)
        }
    }

    @Test("when nobody holds the experts requests wait, then fail with what is missing; all resume when one arrives")
    func lost() async throws {
        try await Scene.play { scene in
            let cluster = try ServedCluster(scene, names: [1, 2])
            let server = try await cluster.start(Self.model, ["--recovery-timeout", "2"])
            let expected = try await ServedCompletion.ask(cluster.httpPort)
            let seen = try await ServedCompletion.asked(cluster.httpPort) {
                try await cluster.become([-1, -2])
                try await Task.sleep(for: .seconds(4))
            }
            let failed = try #require(seen.last)
            #expect(failed.status == 503 && failed.text.contains("worker-1"), "\(failed.text)")
            #expect(seen.allSatisfy { $0.content == expected.content || $0.status == 503 })
            try await cluster.become([2])
            while try await ServedCompletion.ask(cluster.httpPort).status == 503 {
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(try await ServedCompletion.ask(cluster.httpPort).content == expected.content)
            server.signal(SIGTERM)
            #expect(try await server.end().status == 0)
        }
    }
}
