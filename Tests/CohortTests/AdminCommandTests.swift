import Cluster
import Foundation
import TestSupport
import Testing

/// `status`, `top`, `rebalance`, `drain` and `remove` against a server of the test's own.
@Suite(.timeLimit(.minutes(2))) struct AdminCommandTests {
    private func play(
        _ cluster: FakeCluster? = nil, _ body: @Sendable @escaping (Scene, AdminServer) async throws -> Void
    ) async throws {
        try await Scene.play { scene in
            try await AdminServer.serve(cluster) { server in try await body(scene, server) }
        }
    }

    @Test("status and top print the status as text, and status as JSON")
    func status() async throws {
        try await play(FakeCluster()) { scene, server in
            let text = StatusText(FakeCluster.sample).text + "\n"
            for command in ["status", "top"] {
                let outcome = try await scene.run([command] + server.flags)
                #expect(outcome.status == 0 && outcome.error.isEmpty && outcome.text == text, "\(outcome)")
            }
            let json = try await scene.run(["status", "--json"] + server.flags)
            #expect(ClusterStatus(json: Array(json.output)) == FakeCluster.sample, "\(json)")
        }
    }

    @Test("top draws on a terminal within its width, and gives it back")
    func terminal() async throws {
        try await play(FakeCluster()) { scene, server in
            let top = "stty rows 9 cols 30; '\(RunningProgram.cohort)' top \(server.flags.joined(separator: " "))"
            // Open for both, so that opening it waits for nobody and its reader meets no end.
            let keyboard = scene.path("keyboard")
            try #require(mkfifo(keyboard, 0o600) == 0)
            let keys = try #require(FileHandle(forUpdatingAtPath: keyboard))
            let command = "exec script -qec \"\(top)\" /dev/null < '\(keyboard)'"
            let running = try scene.start(program: "/bin/sh", ["-c", command])
            try await running.putsOut()
            try keys.write(contentsOf: Data("q".utf8))
            let outcome = try await running.end()
            try keys.close()
            #expect(outcome.status == 0, "\(outcome)")
            let parts = outcome.text.components(separatedBy: "\u{1B}[?1049")
            #expect(parts.count == 3 && parts[1].hasPrefix("h") && parts[2].hasPrefix("l"), "\(outcome.text)")
            let frame = try #require(parts[1].components(separatedBy: "\u{1B}[H").dropFirst().first)
            let shown = frame.replacing("\u{1B}[2K", with: "").replacing("\u{1B}[?25h", with: "")
            let lines = shown.components(separatedBy: "\r\n")
            #expect(lines.count <= 9 && lines.allSatisfy { $0.count <= 30 }, "\(lines)")
            #expect(lines.contains { $0 == "epoch 7   14.2 tokens/s   bala" }, "\(lines)")
        }
    }

    @Test("drain follows the worker until it has left")
    func drain() async throws {
        let cluster = try FakeCluster()
        cluster.status.workers[1].state = "draining"
        try await play(cluster) { scene, server in
            let running = try scene.start(["drain", "worker-2"] + server.flags)
            while cluster.commands.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            try await Task.sleep(for: .milliseconds(500))
            #expect(running.isRunning)
            cluster.status.workers[1].state = "left"
            let outcome = try await running.end()
            #expect(outcome.status == 0 && outcome.error.isEmpty, "\(outcome)")
            #expect(outcome.text == "worker-2 is empty and has left\n")
        }
        #expect(cluster.commands == [.drain(name: "worker-2")])
    }

    @Test("a drain without room, a rebalance that failed and one that takes too long end with status 1")
    func failures() async throws {
        let cluster = try FakeCluster()
        cluster.status.migration.last = "drain worker-1: no room for 4 slots"
        try await play(cluster) { scene, server in
            let drain = try await scene.run(["drain", "worker-1"] + server.flags)
            #expect(drain.status == 1 && drain.error.contains("no room for 4 slots"), "\(drain)")
            cluster.status.migration.phase = "failed"
            cluster.status.migration.request = "rebalance"
            cluster.status.migration.last = "rebalance: failed: no reason"
            let failed = try await scene.run(["rebalance"] + server.flags)
            #expect(failed.status == 1 && failed.errorLines == ["cohort: rebalance: failed: no reason"], "\(failed)")
            cluster.status.migration.phase = "filling"
            let slow = try await scene.run(["rebalance", "--timeout", "1"] + server.flags)
            #expect(slow.status == 1 && slow.error.contains("goes on"), "\(slow)")
            #expect(slow.output.isEmpty && slow.errorLines.count == 1, "\(slow)")
        }
    }

    @Test("rebalance tells the outcome, or with --no-wait what was taken; remove returns at once")
    func commands() async throws {
        let cluster = try FakeCluster()
        let rebalance = Rebalance(holdings: Holdings(cluster.placement), epoch: 7)
        cluster.replies = [.accepted, .accepted, .underWay(rebalance.status)]
        try await play(cluster) { scene, server in
            let arguments = ["rebalance"] + server.flags
            #expect(try await scene.run(arguments).text == "rebalance: done\n")
            #expect(try await scene.run(arguments + ["--no-wait"]).text == "rebalance: accepted\n")
            #expect(try await scene.run(arguments + ["--no-wait"]).text == "rebalance: under way already\n")
            let remove = try await scene.run(["remove", "a b/ö"] + server.flags)
            #expect(remove.status == 0 && remove.text.hasPrefix("a b/ö is removed"), "\(remove)")
        }
        #expect(cluster.commands == [.rebalance, .rebalance, .rebalance, .remove(name: "a b/ö")])
    }

    @Test("rebalance --record writes the load and the placement, and asks for nothing")
    func record() async throws {
        let cluster = try FakeCluster()
        cluster.status.epoch = cluster.placement.epoch
        try await play(cluster) { scene, server in
            let file = scene.path("placement.json")
            let outcome = try await scene.run(["rebalance", "--record", file] + server.flags)
            #expect(outcome.status == 0 && outcome.error.isEmpty, "\(outcome)")
            let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: file)))
            let names = FakeCluster.sample.workers.map(\.name)
            let named = NamedPlacement(cluster.placement, names: names)
            #expect(try PlacementFile.decode(bytes, file: file).placement == named)
            let nowhere = try await scene.run(["rebalance", "--record", "/nowhere/file"] + server.flags)
            #expect(nowhere.status == 1 && nowhere.error.contains("/nowhere/file"), "\(nowhere)")
        }
        #expect(cluster.commands.isEmpty)
    }

    @Test("what the server refuses, and a wrong key, end with status 1 and one line")
    func refused() async throws {
        let cluster = try FakeCluster()
        let error = MembershipError.unknown("nobody", known: ["worker-1"])
        cluster.replies = [.refused(error)]
        try await play(cluster) { scene, server in
            let unknown = try await scene.run(["drain", "nobody"] + server.flags)
            #expect(unknown.status == 1 && unknown.errorLines == ["cohort: \(error)"], "\(unknown)")
            let wrong = try await scene.run(["status", "--server", server.address, "--admin-key", "other"])
            #expect(wrong.status == 1 && wrong.errorLines.count == 1, "\(wrong)")
            #expect(wrong.error.contains("refuses the admin key"), "\(wrong)")
            let keyless = try await scene.run(["status", "--server", server.address])
            #expect(keyless.status == 1 && keyless.error.contains("--admin-key-file"), "\(keyless)")
            let file = try scene.write("key", " secret\n")
            let right = try await scene.run(["status", "--server", server.address, "--admin-key-file", file])
            #expect(right.status == 0, "\(right)")
        }
        try await play { scene, server in
            let none = try await scene.run(["status"] + server.flags)
            #expect(none.status == 1 && none.error.contains("--local N"), "\(none)")
        }
    }

    @Test("a server that does not answer, a wrong address and a missing key")
    func unreachable() async throws {
        try await Scene.play { scene in
            let port = try FreePort.choose()
            let address = "http://127.0.0.1:\(port)"
            let silent = try await scene.run(["status", "--server", address, "--admin-key", "a"])
            #expect(silent.status == 69 && silent.errorLines.count == 1, "\(silent)")
            #expect(silent.error.contains(address) && silent.error.contains("refused"), "\(silent)")
            for bad in ["127.0.0.1:8000", "ftp://a", "http://", "http://a:0", "http://a/b", "http://u@a"] {
                #expect(try await scene.run(["top", "--server", bad, "--admin-key", "a"]).status == 64, "\(bad)")
            }
            #expect(try await scene.run(["status", "--server", address]).status == 69)
            let file = try await scene.run(["status", "--server", address, "--admin-key-file", "/nowhere/key"])
            #expect(file.status == 66 && file.error.contains("/nowhere/key"), "\(file)")
            let both = ["--admin-key", "a", "--admin-key-file", "b"]
            #expect(try await scene.run(["status"] + both).status == 64)
        }
    }

    @Test("a key is taken from this user's folder for running programs, but from none that others may look into")
    func keyFolder() async throws {
        try await play(FakeCluster()) { scene, server in
            let own = scene.path("cohort")
            try FileManager.default.createDirectory(
                atPath: own, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
            try scene.write("cohort/\(server.port).admin-key", "secret\n")
            let command = [RunningProgram.cohort, "status", "--server", server.address]
            for variable in ["XDG_RUNTIME_DIR=\(scene.folder)", "RUNTIME_DIRECTORY=\(own)"] {
                let found = try await scene.run(program: "/usr/bin/env", [variable] + command)
                #expect(found.status == 0, "\(found)")
            }
            // A name that begins like an address of loopback may be anybody's.
            let named = [RunningProgram.cohort, "status", "--server", "http://127.1:\(server.port)"]
            let other = try await scene.run(program: "/usr/bin/env", ["RUNTIME_DIRECTORY=\(own)"] + named)
            #expect(other.status == 1 && other.error.contains("asks for its admin key"), "\(other)")
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: own)
            let open = try await scene.run(program: "/usr/bin/env", ["RUNTIME_DIRECTORY=\(own)"] + command)
            #expect(open.status == 1 && open.error.contains("asks for its admin key"), "\(open)")
        }
    }

    @Test("serve leaves a key that its user alone can read, the commands find it, and it is gone at the end")
    func ownKey() async throws {
        try await Scene.play { scene in
            let port = try FreePort.choose()
            let server = try scene.start(["serve", Fixture("v2-lite").model, "--port", "\(port)"])
            try await server.says("serving")
            let folder = "/tmp/cohort-\(geteuid())"
            let file = "\(folder)/\(port).admin-key"
            for (path, mode) in [(folder, 0o700), (file, 0o600)] {
                let attributes = try FileManager.default.attributesOfItem(atPath: path)
                #expect(attributes[.posixPermissions] as? Int == mode, "\(path)")
            }
            let status = try await scene.run(["status", "--server", "http://127.0.0.1:\(port)"])
            #expect(status.status == 1 && status.error.contains("no cluster"), "\(status)")
            server.signal(SIGTERM)
            #expect(try await server.end().status == 0)
            #expect(!FileManager.default.fileExists(atPath: file))
        }
    }
}
