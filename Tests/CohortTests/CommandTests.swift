import Foundation
import TestSupport
import Testing

/// `plan`, `inspect` and `synth`, and `generate` as text.
@Suite struct CommandTests {
    private static let model = Fixture("v2-lite").model

    @Test("plan and inspect print text, or one JSON object")
    func reports() async throws {
        try await Scene.play { scene in
            for command in ["plan", "inspect"] {
                let text = try await scene.run([command, Self.model])
                #expect(text.status == 0 && text.error.isEmpty && !text.output.isEmpty, "\(text)")
                let json = try await scene.run([command, Self.model, "--json"])
                #expect(try JSONSerialization.jsonObject(with: json.output) is [String: Any])
            }
        }
    }

    @Test("--version names the version alone")
    func version() async throws {
        try await Scene.play { scene in
            let outcome = try await scene.run(["--version"])
            #expect(outcome.status == 0 && outcome.error.isEmpty, "\(outcome)")
            #expect(outcome.text.wholeMatch(of: /[0-9]+\.[0-9]+\.[0-9]+\n/) != nil, "\(outcome)")
        }
    }

    @Test("bench plan --record leaves rates for plan --machine, over what stood there")
    func rates() async throws {
        try await Scene.play { scene in
            let file = try scene.write("rates.json", String(repeating: "old ", count: 1000))
            let measured = try await scene.run([
                "bench", "plan", Self.model, "--local", "2", "--batch", "1,2", "--tokens", "2", "--positions", "16",
                "--record", file,
            ])
            #expect(measured.status == 0 && measured.error.isEmpty, "\(measured)")
            let plan = try await scene.run(["plan", Self.model, "--machine", file])
            #expect(plan.status == 0 && plan.error.isEmpty, "\(plan)")
        }
    }

    @Test("inspect states the error of other dtypes, and bench quality the perplexity ratio")
    func heldDTypes() async throws {
        try await Scene.play { scene in
            let inspected = try await scene.run(["inspect", Self.model, "--expert-dtype", "int4", "--json"])
            let report = try #require(try JSONSerialization.jsonObject(with: inspected.output) as? [String: Any])
            let groups = try #require(report["held"] as? [[String: Any]])
            #expect(groups.allSatisfy { $0["dtype"] as? String == "int4" } && !groups.isEmpty)
            let quality = try await scene.run(
                ["bench", "quality", Self.model, "--prompt-ids", "1,2,3,4", "--expert-dtype", "int8", "--json"])
            let measured = try #require(try JSONSerialization.jsonObject(with: quality.output) as? [String: Any])
            #expect((measured["lines"] as? [[String: Any]])?.map { $0["experts"] as? String } == ["stored", "int8"])
            #expect(measured["tokens"] as? Int == 3)
            let wires = try await scene.run([
                "bench", "quality", Self.model, "--prompt-ids", "1,2,3,4", "--expert-dtype", "stored", "--wire",
                "f32,bf16,fp8", "--json",
            ])
            let sent = try #require(try JSONSerialization.jsonObject(with: wires.output) as? [String: Any])
            #expect((sent["lines"] as? [[String: Any]])?.map { $0["wire"] as? String } == ["bf16", "f32", "fp8"])
            let wide = try await scene.run(["bench", "quality", Self.model, "--window", "2560"])
            #expect(wide.status == 64 && wide.error.contains("2559"), "\(wide)")
            let wrong = try await scene.run(["bench", "quality", Self.model, "--expert-dtype", "int3"])
            #expect(wrong.status == 64 && wrong.output.isEmpty, "\(wrong)")
            let short = try await scene.run(["bench", "quality", Self.model, "--prompt-ids", "1"])
            #expect(short.status == 64 && short.errorLines.count == 1, "\(short)")
        }
    }

    @Test("bench cluster changes a cluster under load, and nothing fails or changes by it")
    func benchCluster() async throws {
        try await Scene.play { scene in
            let outcome = try await scene.run(["bench", "cluster", Self.model, "--seconds", "1", "--json"])
            #expect(outcome.status == 0 && outcome.error.isEmpty, "\(outcome)")
            let report = try #require(try JSONSerialization.jsonObject(with: outcome.output) as? [String: Any])
            let phases = try #require(report["phases"] as? [[String: Any]])
            #expect(
                phases.map { $0["name"] as? String } == [
                    "uniform", "rebalance", "rebalanced", "scale-out", "scaled out", "drain", "kill, few replicas",
                    "mended", "replicated", "kill, replicas",
                ])
            for phase in phases {
                #expect(phase["failed_steps"] as? Int == 0 && phase["is_exact"] as? Bool == true, "\(phase)")
                #expect((phase["steps"] as? Int ?? 0) > 0, "\(phase)")
            }
            let policies = try #require(report["policies"] as? [[String: Any]])
            #expect(policies.map { $0["slots"] as? Int } == [36, 40, 36, 48])
            #expect((report["planning_share"] as? Double ?? 0) > 0)
            #expect(try await scene.empties(within: .seconds(10)))
        }
    }

    @Test("plan refuses what does not fit, and says what is short")
    func plan() async throws {
        try await Scene.play { scene in
            let outcome = try await scene.run(["plan", Self.model, "--worker-memory", "1kB"])
            #expect(outcome.status == 1 && outcome.output.isEmpty, "\(outcome)")
            #expect(outcome.errorLines.count == 1, "\(outcome)")
        }
    }

    @Test("synth writes the same bytes for the same seed, and what it writes generates", arguments: ["bf16", "fp8"])
    func synth(_ dtype: String) async throws {
        try await Scene.play { scene in
            for (folder, seed) in [("first", "7"), ("second", "7"), ("third", "8")] {
                let outcome = try await scene.run(
                    ["synth", "\(Self.model)/config.json", scene.path(folder), "--seed", seed, "--dtype", dtype])
                #expect(outcome.status == 0 && outcome.error.isEmpty, "\(outcome)")
            }
            #expect(try contents(scene.path("first")) == contents(scene.path("second")))
            #expect(try contents(scene.path("first")) != contents(scene.path("third")))
            let prompt = ["--prompt-ids", "1,2,3", "--max-tokens", "4", "--ignore-eos", "--json"]
            let local = try await scene.run(["generate", scene.path("first"), "--local", "2"] + prompt)
            #expect(try Completion(local).ids.count == 4)
            let again = try await scene.run(["synth", "\(Self.model)/config.json", scene.path("first")])
            #expect(again.status == 1 && again.error.contains(scene.path("first")), "\(again)")
        }
    }

    @Test("text streams to standard output alone, and the report to standard error")
    func text() async throws {
        try await Scene.play { scene in
            let arguments = ["generate", Self.model, "--local", "2", "--prompt", "The cluster", "--max-tokens", "6"]
            let plain = try await scene.run(arguments)
            #expect(plain.status == 0 && plain.error.isEmpty && plain.text.hasSuffix("\n"), "\(plain)")
            let json = try Completion(try await scene.run(arguments + ["--json"]))
            #expect(plain.text == json.text + "\n")
            let nothing = try Completion(try await scene.run(["generate", Self.model, "--prompt", "", "--json"]))
            #expect(nothing.promptIDs.count == 1, "the empty text begins like any other")
            let report = try await scene.run(arguments + ["--report"])
            #expect(report.output == plain.output && report.errorLines.count == 4, "\(report)")
        }
    }

    @Test("a relative path with spaces, in a folder that nobody may write")
    func paths() async throws {
        try await Scene.play { scene in
            try FileManager.default.copyItem(atPath: Self.model, toPath: scene.path("a model, with spaces"))
            let command = """
                cd '\(scene.folder)' && chmod -R a-w 'a model, with spaces' && \
                exec '\(RunningProgram.cohort)' generate 'a model, with spaces' --local 2 --prompt-ids 1 --max-tokens 2
                """
            let outcome = try await scene.run(program: "/bin/sh", ["-c", command])
            #expect(outcome.status == 0 && outcome.error.isEmpty, "\(outcome)")
        }
    }

    @Test("a server has as many connections as the system allows, whatever its shell does")
    func connections() async throws {
        try await Scene.play { scene in
            let port = try FreePort.choose()
            let command = """
                ulimit -Sn 40; exec '\(RunningProgram.cohort)' serve '\(Self.model)' --port \(port)
                """
            let server = try scene.start(program: "/bin/sh", ["-c", command])
            try await server.says("serving")
            let silent = try (0..<60).map { _ in try RawSocket(port: port) }
            let answer = try await ServedCompletion.ask(port)
            withExtendedLifetime(silent) { #expect(answer.status == 200) }
            server.signal(SIGTERM)
            #expect(try await server.end().status == 0)
        }
    }

    @Test("a prompt and completion as long as the model allows")
    func longest() async throws {
        try await Scene.play { scene in
            let prompt = (0..<2559).map { $0 % 640 }
            let outcome = try await scene.run(
                ["generate", Self.model, "--local", "2", "--prompt-ids", prompt.list, "--max-tokens", "1", "--json"])
            #expect(try Completion(outcome).ids.count == 1)
        }
    }

    /// By name.
    private func contents(_ folder: String) throws -> [String: Data] {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        return try Dictionary(
            uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\($0)"))) })
    }
}
