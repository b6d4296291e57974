import Foundation
import TestSupport
import Testing

/// Processes that end, hang or are stopped while others need them.
@Suite struct LossTests {
    private static let model = Fixture("v2-lite").model
    private static let long = ["--prompt-ids", "0,5,7", "--max-tokens", "2500", "--ignore-eos", "--temperature", "2"]

    /// A long generation under way, with `count` workers.
    private func generation(
        _ scene: Scene, _ count: Int
    ) async throws -> (RunningProgram, ClusterScene, [RunningProgram]) {
        let cluster = try ClusterScene(scene, workers: count)
        let coordinator = try cluster.startCoordinator(Self.model, Self.long)
        let workers = try (1...count).map { try cluster.startWorker("worker-\($0)") }
        try await coordinator.putsOut()
        return (coordinator, cluster, workers)
    }

    @Test("a worker that is killed ends the request, by name, and leaves nobody behind")
    func killedWorker() async throws {
        try await Scene.play { scene in
            let (coordinator, _, workers) = try await generation(scene, 3)
            workers[1].signal(SIGKILL)
            let outcome = try await coordinator.end(within: .seconds(10))
            #expect(outcome.status == 69 && outcome.errorLines.last?.contains("worker-2") == true, "\(outcome)")
            for worker in [workers[0], workers[2]] { #expect(try await worker.end(within: .seconds(5)).status == 0) }
            #expect(scene.processes.isEmpty)
        }
    }

    @Test("a local worker that is killed ends the request, by name, and leaves nobody behind")
    func killedLocalWorker() async throws {
        try await Scene.play { scene in
            let coordinator = try scene.start(["generate", Self.model, "--local", "4"] + Self.long)
            try await coordinator.putsOut()
            let workers = scene.processes.filter { $0 != coordinator.identifier }
            #expect(workers.count == 4)
            let victim = try #require(workers.first)
            let line = FileManager.default.contents(atPath: "/proc/\(victim)/cmdline") ?? Data()
            let arguments = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            let name = arguments[try #require(arguments.firstIndex(of: "--name")) + 1]
            kill(victim, SIGKILL)
            let outcome = try await coordinator.end(within: .seconds(10))
            #expect(outcome.status == 69 && outcome.error.contains(name), "\(outcome)")
            #expect(outcome.errorLines.count == 1, "\(outcome)")
            #expect(scene.processes.isEmpty)
        }
    }

    @Test("a worker that is stopped by SIGTERM says goodbye and ends with 0")
    func terminatedWorker() async throws {
        try await Scene.play { scene in
            let (coordinator, _, workers) = try await generation(scene, 2)
            workers[0].signal(SIGTERM)
            #expect(try await workers[0].end(within: .seconds(10)).status == 0)
            let outcome = try await coordinator.end(within: .seconds(10))
            #expect(outcome.status == 69, "\(outcome)")
            #expect(outcome.errorLines.last?.contains("worker-1") == true, "\(outcome)")
            #expect(outcome.errorLines.last?.contains("was stopped") == true, "\(outcome)")
            #expect(try await workers[1].end(within: .seconds(5)).status == 0)
        }
    }

    @Test("a coordinator's local workers end soon after it", arguments: [SIGKILL, SIGTERM, SIGINT])
    func endedCoordinator(_ signal: Int32) async throws {
        try await Scene.play { scene in
            let coordinator = try scene.start(["generate", Self.model, "--local", "3"] + Self.long)
            try await coordinator.putsOut()
            #expect(scene.processes.count == 4)
            coordinator.signal(signal)
            #expect(try await coordinator.end(within: .seconds(5)).status == 128 + signal)
            #expect(try await scene.empties(within: .seconds(5)))
        }
    }

    @Test("so they do when it is killed before they have joined")
    func endedEarly() async throws {
        try await Scene.play { scene in
            for delay in [5, 20, 40, 80] {
                let coordinator = try scene.start(["generate", Self.model, "--local", "3"] + Self.long)
                try await Task.sleep(for: .milliseconds(delay))
                coordinator.signal(SIGKILL)
                #expect(try await coordinator.end().status == 128 + SIGKILL)
                #expect(try await scene.empties(within: .seconds(10)), "killed after \(delay) ms")
            }
        }
    }

    @Test("workers by hand say that the coordinator is gone")
    func lostCoordinator() async throws {
        try await Scene.play { scene in
            let (coordinator, cluster, workers) = try await generation(scene, 2)
            coordinator.signal(SIGKILL)
            for worker in workers {
                let outcome = try await worker.end(within: .seconds(10))
                #expect(outcome.status == 69 && outcome.error.contains("127.0.0.1:\(cluster.port)"), "\(outcome)")
            }
        }
    }

    @Test("a worker that may rejoin serves the next coordinator")
    func rejoins() async throws {
        try await Scene.play { scene in
            let cluster = try ClusterScene(scene, workers: 1)
            let worker = try cluster.startWorker("worker-1", ["--rejoin"])
            let first = try cluster.startCoordinator(Self.model, Self.long)
            try await first.putsOut()
            first.signal(SIGKILL)
            _ = try await first.end()
            let second = try cluster.startCoordinator(Self.model, ["--prompt-ids", "0", "--max-tokens", "2"])
            #expect(try await second.end().status == 0)
            worker.signal(SIGTERM)
            #expect(try await worker.end(within: .seconds(10)).status == 0)
        }
    }

    @Test("a reader that has enough ends the program and its workers")
    func closedOutput() async throws {
        try await Scene.play { scene in
            let command = ([RunningProgram.cohort, "generate", Self.model, "--local", "2"] + Self.long)
                .joined(separator: " ")
            let outcome = try await scene.run(program: "/bin/sh", ["-c", "\(command) | head -c 1 >/dev/null"])
            #expect(outcome.error.isEmpty, "\(outcome)")
            #expect(try await scene.empties(within: .seconds(5)))
        }
    }
}
