import Cluster
import Foundation
import TestSupport
import Testing

/// A server on loopback with workers that dial in, by number.
final class ServedCluster {
    let httpPort: Int
    private let scene: Scene
    private let cluster: ClusterScene
    private let first: Set<Int>
    private var workers: [Int: RunningProgram] = [:]

    /// - Parameter names: the workers of the cluster file, with numbers that follow one another.
    init(_ scene: Scene, names: Set<Int>) throws {
        self.scene = scene
        let range = (names.min() ?? 0)...(names.max() ?? 0)
        cluster = try ClusterScene(scene, numbers: range)
        httpPort = try FreePort.choose()
        first = names
    }

    static func name(_ number: Int) -> String { "worker-\(number)" }

    /// Starts the server and the workers of the file; returns when it serves.
    func start(_ model: String, _ arguments: [String]) async throws -> RunningProgram {
        let server = try scene.start(
            ["serve", model, "--cluster", cluster.file, "--port", "\(httpPort)", "--threads", "1"] + arguments)
        for number in first.sorted() { workers[number] = try cluster.startWorker(Self.name(number)) }
        try await server.says("serving")
        return server
    }

    /// Kills the negative ones, starts those that are new, drains whom `set` does not name, and waits until all of
    /// that is in force and every expert is held.
    func become(_ set: [Int]) async throws {
        let killed = set.filter { $0 < 0 }.map { -$0 }
        let wanted = Set(set.filter { $0 >= 0 })
        for number in killed {
            let known = workers.removeValue(forKey: number)
            let worker = try #require(known, "\(number) does not run")
            worker.signal(SIGKILL)
            _ = try await worker.end()
        }
        for number in wanted.subtracting(workers.keys).sorted() {
            workers[number] = try cluster.startWorker(Self.name(number))
        }
        if wanted.isEmpty { return }
        try await settles { $0.isSuperset(of: wanted.map(Self.name)) }
        for number in Set(workers.keys).subtracting(wanted).sorted() {
            let outcome = try await scene.run(["drain", Self.name(number)] + flags)
            #expect(outcome.status == 0, "\(outcome)")
            let left = try await workers.removeValue(forKey: number)?.end(within: .seconds(10))
            #expect(left?.status == 0, "\(String(describing: left))")
        }
        try await settles { $0 == Set(wanted.map(Self.name)) }
    }

    func signal(_ number: Int, _ signal: Int32) { workers[number]?.signal(signal) }

    func status() async throws -> ClusterStatus {
        let outcome = try await scene.run(["status", "--json"] + flags)
        return try #require(ClusterStatus(json: Array(outcome.output)), "\(outcome)")
    }

    /// Of the workers of the cluster file.
    func memory(in status: ClusterStatus) -> [Int] {
        status.workers.filter { first.map(Self.name).contains($0.name) }.map(\.memoryBytes)
    }

    private var flags: [String] { ["--server", "http://127.0.0.1:\(httpPort)"] }

    /// Waits until the workers present are as wanted and hold everything.
    private func settles(_ isThere: (Set<String>) -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(30)
        while true {
            let status = try await status()
            if isThere(Set(status.present)), status.missingSlots == 0 { return }
            guard ContinuousClock.now < end else { throw NotInTime(description: "the cluster is \(status)") }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}

extension ClusterStatus {
    /// The names of the workers that take part.
    var present: [String] { workers.filter { $0.state == "ready" }.map(\.name) }
}
