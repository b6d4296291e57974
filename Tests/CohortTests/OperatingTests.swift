import Cluster
import Foundation
import TestSupport
import Testing

/// A server with workers, operated while requests run.
@Suite struct OperatingTests {
    private static let model = Fixture("v2-lite").model

    @Test("no request notices a rebalance, a drain and a removal", .timeLimit(.minutes(2)))
    func operate() async throws {
        try await Scene.play { scene in
            let port = try FreePort.choose()
            let server = try scene.start(
                [
                    "serve", Self.model, "--local", "4", "--port", "\(port)", "--rebalance-interval", "0",
                    "--redundant-experts", "0",
                ])
            try await server.says("serving")
            let flags = ["--server", "http://127.0.0.1:\(port)"]
            let expected = try await ServedCompletion.ask(port)
            #expect(expected.status == 200, "\(expected.text)")
            let file = scene.path("record.json")
            let seen = try await ServedCompletion.asked(port) {
                for arguments in [
                    ["rebalance"], ["drain", "worker-2"], ["remove", "worker-3"], ["rebalance", "--record", file],
                ] {
                    let outcome = try await scene.run(arguments + flags)
                    #expect(outcome.status == 0 && outcome.error.isEmpty, "\(arguments): \(outcome)")
                }
                let refused = try await scene.run(["drain", "worker-2"] + flags)
                #expect(refused.status == 1 && refused.errorLines.count == 1, "\(refused)")
            }
            #expect(seen.allSatisfy { $0.content == expected.content })
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
}
