import Foundation
import TestSupport
import Testing

/// Workers and strangers at the coordinator's door.
@Suite struct AdmissionTests {
    private static let model = Fixture("v2-lite").model
    private static let prompt = ["--prompt-ids", "0,5,7", "--max-tokens", "3", "--json"]

    /// The coordinator's completion must be that of one process.
    private func expectRight(_ coordinator: RunningProgram, _ scene: Scene) async throws {
        let alone = try Completion(try await scene.run(["generate", Self.model] + Self.prompt))
        let completion = try Completion(try await coordinator.end())
        #expect(completion.ids == alone.ids)
        #expect(completion.steps.map(\.logprob) == alone.steps.map(\.logprob))
    }

    private func expectEnd(
        _ worker: RunningProgram, status: Int32, _ part: String, _ location: SourceLocation = #_sourceLocation
    ) async throws {
        let outcome = try await worker.end()
        #expect(outcome.status == status && outcome.error.contains(part), "\(outcome)", sourceLocation: location)
        #expect(
            outcome.errorLines.count { $0.hasPrefix("cohort: ") } == 1, "\(outcome)", sourceLocation: location)
    }

    @Test("four workers by hand, two slices by two stages; one of them before the coordinator")
    func byHand() async throws {
        try await Scene.play { scene in
            let cluster = try ClusterScene(scene, workers: 4, tensor: 2, pipeline: 2)
            let early = try cluster.startWorker("worker-3")
            try await early.says("does not answer")
            let coordinator = try cluster.startCoordinator(Self.model, Self.prompt)
            let others = try [1, 2, 4].map { try cluster.startWorker("worker-\($0)") }
            let local = try await scene.run(
                ["generate", Self.model, "--local", "2", "--tensor-parallel-size", "2"] + Self.prompt)
            let outcome = try await coordinator.end()
            #expect(outcome.status == 0 && outcome.output == local.output, "\(outcome)")
            for worker in others + [early] { #expect(try await worker.end().status == 0) }
        }
    }

    @Test("a worker with its own path to the checkpoint, over IPv6")
    func ownPath() async throws {
        try await Scene.play { scene in
            let folder = scene.path("a copy")
            try FileManager.default.copyItem(atPath: Self.model, toPath: folder)
            let cluster = try ClusterScene(scene, workers: 1, host: "::1", model: "/nowhere")
            let coordinator = try cluster.startCoordinator(Self.model, Self.prompt)
            let worker = try cluster.startWorker("worker-1", host: "[::1]", ["--model", folder])
            try await expectRight(coordinator, scene)
            #expect(try await worker.end().status == 0)
        }
    }

    @Test("those who do not fit are refused with a reason, and the others served")
    func refusals() async throws {
        try await Scene.play { scene in
            let cluster = try ClusterScene(scene, workers: 2)
            let coordinator = try cluster.startCoordinator(Self.model, Self.prompt)
            try await coordinator.says("waiting for workers")
            let wrong = try scene.write("wrong", "another secret, long enough")
            try await expectEnd(
                cluster.startWorker("worker-1", ["--secret-file", wrong]), status: 69, "--secret-file")
            try await expectEnd(cluster.startWorker("worker-7"), status: 64, "worker-1, worker-2")
            try await expectEnd(cluster.startWorker("worker-1", ["--memory", "1000"]), status: 1, "--memory")
            let other = Fixture("v2-group").model
            try await expectEnd(
                cluster.startWorker("worker-1", ["--model", other]), status: 66, "not the coordinator's")
            let first = try cluster.startWorker("worker-1")
            try await coordinator.says("worker ready")
            try await expectEnd(cluster.startWorker("worker-1"), status: 64, "connected already")
            #expect(coordinator.isRunning)
            let second = try cluster.startWorker("worker-2")
            try await expectRight(coordinator, scene)
            for worker in [first, second] { #expect(try await worker.end().status == 0) }
            #expect(coordinator.errorText.matches(of: /connection closed/).count >= 5)
        }
    }

    @Test("a worker whose checkpoint is not there tells the coordinator, and another may come in its place")
    func broken() async throws {
        try await Scene.play { scene in
            let cluster = try ClusterScene(scene, workers: 1, model: "/nowhere")
            let coordinator = try cluster.startCoordinator(Self.model, Self.prompt)
            try await expectEnd(cluster.startWorker("worker-1"), status: 66, "/nowhere/config.json")
            try await coordinator.says("/nowhere/config.json")
            let worker = try cluster.startWorker("worker-1", ["--model", Self.model])
            try await expectRight(coordinator, scene)
            #expect(try await worker.end().status == 0)
        }
    }

    @Test("a worker that is ready and leaves may come again while others load")
    func comesAgain() async throws {
        try await Scene.play { scene in
            let cluster = try ClusterScene(scene, workers: 2)
            let coordinator = try cluster.startCoordinator(Self.model, Self.prompt)
            let first = try cluster.startWorker("worker-1")
            try await coordinator.says("worker ready")
            first.signal(SIGKILL)
            try await coordinator.says("connection closed")
            let workers = try [cluster.startWorker("worker-1"), cluster.startWorker("worker-2")]
            try await expectRight(coordinator, scene)
            for worker in workers { #expect(try await worker.end().status == 0) }
        }
    }

    @Test("a worker without a coordinator gives up in time, and a coordinator without workers too")
    func alone() async throws {
        try await Scene.play { scene in
            let cluster = try ClusterScene(scene, workers: 2, joinTimeout: "1s")
            // Held to its time by another process: this one may be busy with other tests.
            let worker = ["worker", "--coordinator", "127.0.0.1:\(cluster.port)", "--secret-file", cluster.secretFile]
            let outcome = try await scene.run(
                program: "/usr/bin/timeout", ["10", RunningProgram.cohort] + worker + ["--connect-timeout", "1"])
            #expect(outcome.status == 69 && outcome.error.contains("127.0.0.1:\(cluster.port)"), "\(outcome)")
            let local = try await scene.run(worker + ["--connect-timeout", "1", "--local", "--quiet"])
            #expect(local.status == 69 && local.error.isEmpty, "a coordinator's own worker: \(local)")
            let coordinator = try cluster.startCoordinator(Self.model, Self.prompt)
            let first = try cluster.startWorker("worker-1", ["--connect-timeout", "5"])
            try await expectEnd(coordinator, status: 69, "worker-2 (it has not connected)")
            #expect(try await first.end().status == 69)
        }
    }

    @Test("garbage, HTTP, silence and a crowd at the door: each sent away with one line, the workers let in")
    func strangers() async throws {
        try await Scene.play { scene in
            let cluster = try ClusterScene(scene, workers: 2)
            let coordinator = try cluster.startCoordinator(Self.model, Self.prompt)
            try await coordinator.says("waiting for workers")
            let garbage = try Stranger(port: cluster.port)
            garbage.send((0..<200).map { UInt8(truncatingIfNeeded: $0 * 37) })
            let browser = try Stranger(port: cluster.port)
            browser.send("GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/8.0\r\nAccept: */*\r\n\r\n")
            for stranger in [garbage, browser] { #expect(try await stranger.isClosed()) }
            try await coordinator.says("connection closed", times: 2)
            let slow = try Stranger(port: cluster.port)
            slow.send("C")
            let crowd = try (0..<200).map { _ in try Stranger(port: cluster.port) }
            let first = try cluster.startWorker("worker-1")
            try await coordinator.says("worker ready", within: .seconds(9))
            #expect(try await slow.isClosed())
            for stranger in crowd { #expect(try await stranger.isClosed()) }
            try await coordinator.says("connection closed", times: 203)
            let second = try cluster.startWorker("worker-2")
            try await expectRight(coordinator, scene)
            #expect(coordinator.errorText.matches(of: /connection closed/).count == 203)
            for worker in [first, second] { #expect(try await worker.end().status == 0) }
        }
    }

    @Test("two coordinators on one port: the second says so")
    func twoCoordinators() async throws {
        try await Scene.play { scene in
            let cluster = try ClusterScene(scene, workers: 1)
            let first = try cluster.startCoordinator(Self.model, Self.prompt)
            try await first.says("waiting for workers")
            try await expectEnd(
                cluster.startCoordinator(Self.model, Self.prompt), status: 69, "127.0.0.1:\(cluster.port)")
            let worker = try cluster.startWorker("worker-1")
            try await expectRight(first, scene)
            #expect(try await worker.end().status == 0)
        }
    }

    @Test("five network namespaces")
    func namespaces() async throws {
        try await Scene.play { scene in
            let run = try await scene.run(
                program: "/usr/bin/env",
                ["bash", Repository.path("scripts/netns-cluster.sh"), RunningProgram.cohort, Self.model, "--"]
                    + Self.prompt)
            guard run.status != 77 else {
                print("five network namespaces: \(run.error)")
                return
            }
            let alone = try await scene.run(["generate", Self.model] + Self.prompt)
            #expect(run.status == 0 && run.output == alone.output, "\(run)")
        }
    }
}
