import Foundation
import Testing

/// Checkpoints that measurements make for themselves.
@Suite(.timeLimit(.minutes(2))) struct TemporaryModelTests {
    /// The checkpoint is made at once, the larger one's bytes take a while.
    @Test("SIGTERM and SIGINT leave nothing of them behind", arguments: [(2048, SIGTERM), (32_768, SIGINT)])
    func signalled(_ hiddenSize: Int, _ signal: Int32) async throws {
        try await Scene.play { scene in
            let folder = scene.path("temporary")
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
            let running = try scene.start(
                program: "/usr/bin/env",
                [
                    "TMPDIR=\(folder)", RunningProgram.cohort, "bench", "dispatch", "--rounds", "1000000", "--hidden",
                    "\(hiddenSize)",
                ])
            let end = ContinuousClock.now + .seconds(30)
            while try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty, .now < end {
                try await Task.sleep(for: .milliseconds(5))
            }
            try await Task.sleep(for: .milliseconds(hiddenSize == 2048 ? 1500 : 20))
            try #require(try FileManager.default.contentsOfDirectory(atPath: folder).count == 1)
            running.signal(signal)
            let outcome = try await running.end(within: .seconds(20))
            #expect(outcome.status == 128 + signal && outcome.output.isEmpty, "\(outcome)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
            #expect(try await scene.empties(within: .seconds(10)))
        }
    }
}
