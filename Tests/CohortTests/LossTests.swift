import Foundation
import TestSupport
import Testing

/// Processes that end, hang or are stopped while others need them.
@Suite struct LossTests {
    private static let model = Fixture("tiny-r1-bf16").model
    private static let long = [
        "--prompt-ids", "0,5,7", "--max-tokens", "6000", "--ignore-eos", "--temperature", "2", "--seed", "7",
    ]

    /// A long generation under way, with `count` workers.
    private func generation(
        _ scene: Scene, _ count: Int, _ arguments: [String] = [], length: [String] = long
    ) async throws -> (RunningProgram, ClusterScene, [RunningProgram]) {
        let cluster = try ClusterScene(scene, workers: count)
        let coordinator = try cluster.startCoordinator(Self.model, length)
        let workers = try (1...count).map { try cluster.startWorker("worker-\($0)", arguments) }
        try await coordinator.putsOut()
        return (coordinator, cluster, workers)
    }

    /// What the long generation gives when nothing happens to it; made once for all tests.
    private static let undisturbed = Task {
        try await Scene.play { scene in
            let outcome = try await scene.run(["generate", model, "--local", "0"] + long)
            guard outcome.status == 0 else { throw NotInTime(description: "undisturbed: \(outcome)") }
            return outcome.output
        }
    }

    @Test(
        "a worker that is killed, hangs or is stopped costs the request nothing",
        arguments: [SIGKILL, SIGTERM, SIGSTOP])
    func lostWorker(_ signal: Int32) async throws {
        try await Scene.play { scene in
            let expected = try await Self.undisturbed.value
            let (coordinator, _, workers) = try await generation(scene, 3)
            workers[1].signal(signal)
            let outcome = try await coordinator.end(within: .seconds(60))
            #expect(outcome.status == 0 && outcome.output == expected, "\(outcome)")
            #expect(outcome.error.contains("worker-2") && outcome.error.contains("worker lost"), "\(outcome)")
            if signal == SIGSTOP { workers[1].signal(SIGKILL) }
            for worker in [workers[0], workers[2]] { #expect(try await worker.end(within: .seconds(5)).status == 0) }
        }
    }

    @Test("a local worker that is killed costs the request nothing, and leaves nobody behind")
    func lostLocalWorker() async throws {
        try await Scene.play { scene in
            let expected = try await Self.undisturbed.value
            let coordinator = try scene.start(["generate", Self.model, "--local", "4"] + Self.long)
            try await coordinator.putsOut()
            let workers = scene.processes.filter { $0 != coordinator.identifier }
            #expect(workers.count == 4)
            kill(try #require(workers.first), SIGKILL)
            let outcome = try await coordinator.end(within: .seconds(60))
            #expect(outcome.status == 0 && outcome.output == expected, "\(outcome)")
            #expect(scene.processes.isEmpty)
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

    @Test("workers by hand dial a coordinator that is gone for as long as they are told, and say that it is gone")
    func lostCoordinator() async throws {
        try await Scene.play { scene in
            // Many seconds of it: this ends before the generation does, whatever else the machine has to do.
            let (coordinator, cluster, workers) = try await generation(
                scene, 2, ["--connect-timeout", "2"],
                length: ["--prompt-ids", "0,5,7", "--max-tokens", "10000", "--ignore-eos"])
            coordinator.signal(SIGKILL)
            for worker in workers {
                let outcome = try await worker.end(within: .seconds(10))
                #expect(outcome.status == 69 && outcome.error.contains("127.0.0.1:\(cluster.port)"), "\(outcome)")
            }
        }
    }

    @Test("a worker that was stopped for a while and goes on joins again under its name, without a restart")
    func stoppedForAWhile() async throws {
        try await Scene.play { scene in
            let expected = try await Self.undisturbed.value
            let (coordinator, _, workers) = try await generation(scene, 3)
            workers[1].signal(SIGSTOP)
            try await coordinator.says("worker lost")
            workers[1].signal(SIGCONT)
            try await workers[1].says("ready(", times: 2, within: .seconds(5))
            let outcome = try await coordinator.end(within: .seconds(60))
            #expect(outcome.status == 0 && outcome.output == expected, "\(outcome)")
            for worker in workers { #expect(try await worker.end(within: .seconds(5)).status == 0) }
        }
    }

    @Test("a worker that is cut off from the network costs the request nothing")
    func cutOff() async throws {
        try await Scene.play { scene in
            let expected = try await Self.undisturbed.value
            let logs = scene.path("logs")
            let run = try await scene.run(
                program: "/usr/bin/env",
                [
                    "bash", Repository.path("scripts/netns-cluster.sh"), "--cut", "2", "--keep-logs", logs,
                    RunningProgram.cohort, Self.model, "--", "--verbose",
                ] + Self.long)
            guard run.status != 77 else { return print("a worker that is cut off: \(run.error)") }
            #expect(run.status == 0 && run.output == expected, "\(run)")
            let log = try String(contentsOfFile: "\(logs)/coordinator.log", encoding: .utf8)
            #expect(log.contains("worker=worker-2") && log.contains("worker lost"), "\(log)")
        }
    }

    @Test("a checkpoint file that is truncated while in use ends the process with one line that names it")
    func truncatedFile() async throws {
        try await Scene.play { scene in
            let model = scene.path("model")
            try FileManager.default.copyItem(atPath: Self.model, toPath: model)
            let port = try FreePort.choose()
            let server = try scene.start(["serve", model, "--port", "\(port)"])
            try await server.says("serving")
            let file = "\(model)/model-00002-of-000003.safetensors"
            #expect(truncate(file, 4096) == 0)
            _ = try? await ServedCompletion.ask(port)
            let outcome = try await server.end()
            #expect(outcome.status == 1, "\(outcome)")
            let told = outcome.errorLines.filter { $0.hasPrefix("cohort: \(file): cannot be read any more at byte ") }
            #expect(told.count == 1, "\(outcome)")
        }
    }

    @Test("a SIGBUS that has nothing to do with a checkpoint ends the process as ever")
    func otherBusError() async throws {
        try await Scene.play { scene in
            // Swift's runtime would draw up what led there, for many seconds.
            let server = try scene.start(
                program: "/usr/bin/env",
                [
                    "SWIFT_BACKTRACE=enable=no", RunningProgram.cohort, "serve", Self.model, "--port",
                    "\(try FreePort.choose())",
                ])
            try await server.says("serving")
            server.signal(SIGBUS)
            let outcome = try await server.end()
            #expect(outcome.status == 128 + SIGBUS && !outcome.error.contains("any more"), "\(outcome)")
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
