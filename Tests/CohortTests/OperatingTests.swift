import Cluster
import Foundation
import Hummingbird
import HummingbirdTesting
import Synchronization
import TestSupport
import Testing

/// A server with workers, operated while requests run.
@Suite struct OperatingTests {
    private static let model = Fixture("v2-lite").model

    /// The choices of a seeded completion, with the log-probability of every token.
    private static func choices(_ port: Int) async throws -> Data {
        let json = """
            {"prompt": [0, 5, 7], "max_tokens": 60, "temperature": 2, "seed": 7, "ignore_eos": true, "logprobs": 2}
            """
        return try await TestClient.withClient(host: "127.0.0.1", port: port) { client in
            let response = try await client.execute(
                TestClient.Request(
                    "/v1/completions", method: .post, authority: "localhost", headers: [:],
                    body: ByteBuffer(string: json)))
            let body = try #require(response.body)
            try #require(response.status == .ok, "\(String(buffer: body))")
            let object = try JSONSerialization.jsonObject(with: Data(body.readableBytesView)) as? [String: Any]
            return try JSONSerialization.data(
                withJSONObject: try #require(object?["choices"]), options: .sortedKeys)
        }
    }

    /// What requests get, one after the other, until the operator has done all.
    private static func answers(_ port: Int, until isOver: Over) async throws -> [Data] {
        var answers: [Data] = []
        while !isOver.value { answers.append(try await choices(port)) }
        return answers
    }

    @Test("no request notices a rebalance, a drain and a removal", .timeLimit(.minutes(2)))
    func operate() async throws {
        try await Scene.play { scene in
            let port = try FreePort.choose()
            let server = try scene.start(
                ["serve", Self.model, "--local", "4", "--port", "\(port)", "--rebalance-interval", "0"])
            try await server.says("serving")
            let flags = ["--server", "http://127.0.0.1:\(port)"]
            let expected = try await Self.choices(port)
            let isOver = Over()
            async let answers = Self.answers(port, until: isOver)
            let file = scene.path("record.json")
            for arguments in [
                ["rebalance"], ["drain", "worker-2"], ["remove", "worker-3"], ["rebalance", "--record", file],
            ] {
                let outcome = try await scene.run(arguments + flags)
                #expect(outcome.status == 0 && outcome.error.isEmpty, "\(arguments): \(outcome)")
            }
            let refused = try await scene.run(["drain", "worker-2"] + flags)
            #expect(refused.status == 1 && refused.errorLines.count == 1, "\(refused)")
            isOver.set()
            let seen = try await answers
            #expect(!seen.isEmpty && seen.allSatisfy { $0 == expected })
            try await check(try await scene.run(["status", "--json"] + flags), file)
            server.signal(SIGTERM)
            #expect(try await server.end().status == 0)
        }
    }

    /// Two workers are left and hold everything, in the status and in the record.
    private func check(_ outcome: Outcome, _ file: String) async throws {
        let status = try #require(ClusterStatus(json: Array(outcome.output)))
        #expect(status.workers.map(\.state) == ["ready", "left", "left", "ready"])
        #expect(status.missingSlots == 0 && status.totals.movedBytes > 0 && status.totals.switches > 0)
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: file)))
        #expect(try PlacementFile.decode(bytes, file: file).placement.workers == ["worker-1", "worker-4"])
    }

    /// For any thread.
    private final class Over: Sendable {
        private let state = Atomic(false)

        var value: Bool { state.load(ordering: .relaxed) }

        func set() { state.store(true, ordering: .relaxed) }
    }
}
