import Foundation
import TestSupport
import Testing

/// What a wrong command ends with: a documented status, one line on standard error that names the culprit, nothing on
/// standard output.
@Suite struct BadInputTests {
    private static let fixture = Fixture("v2-lite")
    private static let shard = "model-00001-of-000001.safetensors"

    private func expect(
        _ scene: Scene, _ arguments: [String], status: Int32, _ parts: String..., lines: Int = 1
    ) async throws {
        let outcome = try await scene.run(arguments)
        #expect(outcome.status == status, "\(arguments): \(outcome)")
        #expect(outcome.output.isEmpty, "\(arguments): \(outcome.text)")
        #expect(outcome.errorLines.count <= lines, "\(arguments): \(outcome)")
        for part in parts { #expect(outcome.error.contains(part), "\(arguments): \(outcome)") }
    }

    private func generate(_ model: String, _ arguments: [String] = []) -> [String] {
        ["generate", model, "--prompt-ids", "0,5,7", "--max-tokens", "2"] + arguments
    }

    /// A copy of the checkpoint, to be spoilt.
    private func copy(_ scene: Scene) throws -> String {
        try FileManager.default.copyItem(atPath: Self.fixture.model, toPath: scene.path("model"))
        return scene.path("model")
    }

    @Test("a folder that is not there, or has no checkpoint")
    func noCheckpoint() async throws {
        try await Scene.play { scene in
            try await expect(scene, generate("/nowhere/model"), status: 66, "/nowhere/model/config.json")
            try await expect(scene, generate(scene.folder), status: 66, "\(scene.folder)/config.json")
            try await expect(scene, ["inspect", "/nowhere"], status: 66, "/nowhere/config.json")
            try await expect(scene, ["plan", "/nowhere"], status: 66, "/nowhere/config.json")
            try await expect(scene, ["synth", "/nowhere", scene.path("out")], status: 66, "/nowhere")
        }
    }

    @Test("measured rates that are not there, or are something else")
    func rates() async throws {
        try await Scene.play { scene in
            let plan = ["plan", Self.fixture.model, "--machine"]
            try await expect(scene, plan + ["/nowhere.json"], status: 66, "/nowhere.json")
            let file = try scene.write("rates.json", "{}")
            try await expect(scene, plan + [file], status: 66, file, "bench plan")
        }
    }

    @Test("a truncated shard, by file; with and without workers")
    func truncated() async throws {
        try await Scene.play { scene in
            let model = try copy(scene)
            let shard = "\(model)/\(Self.shard)"
            let file = try #require(FileHandle(forUpdatingAtPath: shard))
            try file.truncate(atOffset: 700_000)
            try file.close()
            for local in ["0", "2"] {
                try await expect(scene, generate(model, ["--local", local]), status: 66, shard, "tensor")
            }
        }
    }

    @Test("a tensor whose header contradicts the configuration, by file and tensor")
    func wrongShape() async throws {
        try await Scene.play { scene in
            let model = try copy(scene)
            let shard = "\(model)/\(Self.shard)"
            var bytes = try Data(contentsOf: URL(fileURLWithPath: shard))
            let name = "model.layers.1.mlp.experts.7.up_proj.weight"
            let found = try #require(bytes.range(of: Data("\"\(name)\"".utf8)))
            let shape = try #require(bytes.range(of: Data("[16,96]".utf8), in: found.upperBound..<bytes.count))
            bytes.replaceSubrange(shape, with: Data("[96,16]".utf8))
            try bytes.write(to: URL(fileURLWithPath: shard))
            for local in ["0", "2"] {
                try await expect(scene, generate(model, ["--local", local]), status: 66, shard, name)
            }
        }
    }

    @Test("a shard that is no safetensors file")
    func garbage() async throws {
        try await Scene.play { scene in
            let model = try copy(scene)
            try scene.write("model/\(Self.shard)", String(repeating: "garbage ", count: 100))
            try await expect(scene, generate(model), status: 66, "\(model)/\(Self.shard)")
        }
    }

    @Test("a configuration without a field, or with a wrong one", arguments: ["kv_lora_rank", "n_routed_experts"])
    func configuration(_ field: String) async throws {
        try await Scene.play { scene in
            let model = try copy(scene)
            let config = try String(contentsOfFile: "\(model)/config.json", encoding: .utf8)
            try scene.write("model/config.json", config.replacing("\"\(field)\"", with: "\"other\""))
            try await expect(scene, generate(model), status: 66, "\(model)/config.json", field)
            try await expect(scene, ["plan", model], status: 66, "\(model)/config.json", field)
        }
    }

    @Test("a request that the model cannot serve")
    func requests() async throws {
        let model = Self.fixture.model
        try await Scene.play { scene in
            let prompt = { (ids: String, tokens: String) in
                ["generate", model, "--prompt-ids", ids, "--max-tokens", tokens]
            }
            try await expect(scene, prompt("0,640", "2"), status: 64, "640")
            try await expect(
                scene, ["generate", model, "--prompt-ids=-1", "--max-tokens", "2"], status: 64, "-1")
            try await expect(scene, prompt("1,x", "2"), status: 64, "\"x\"")
            try await expect(scene, prompt("99999999999999999999", "2"), status: 64, "99999999999999999999")
            try await expect(scene, prompt("1", "0"), status: 64, "at least 1")
            try await expect(scene, prompt("1,2", "2559"), status: 64, "2560")
            try await expect(scene, prompt("1,2", "\(Int.max)"), status: 64, "2560")
            try await expect(scene, ["generate", model, "--prompt-ids", ""], status: 64, "--prompt-ids")
            try await expect(scene, prompt("1", "2") + ["--top-logprobs", "641"], status: 64, "640")
        }
    }

    @Test("flags that are unknown or exclude each other")
    func flags() async throws {
        let model = Self.fixture.model
        try await Scene.play { scene in
            let usage = 6
            try await expect(scene, generate(model, ["--colour"]), status: 64, "--colour", lines: usage)
            try await expect(
                scene, generate(model, ["--local", "2", "--cluster", "x.yaml"]), status: 64, "--cluster", lines: usage)
            try await expect(scene, generate(model, ["--local", "-1"]), status: 64, "--local", lines: usage)
            try await expect(scene, generate(model, ["--threads", "0"]), status: 64, "--threads", lines: usage)
            try await expect(scene, generate(model, ["--prefill-chunk", "0"]), status: 64, "--prefill", lines: usage)
            try await expect(scene, ["generate", model], status: 64, "--prompt", lines: usage)
            try await expect(scene, generate(model, ["--prompt", "x"]), status: 64, "--prompt", lines: usage)
            try await expect(scene, generate(model, ["--wire", "fp4"]), status: 64, "bf16", lines: usage)
            let worker = ["worker", "--coordinator", "127.0.0.1:1", "--secret-file", "/dev/null"]
            try await expect(scene, worker + ["--name", ""], status: 64, "--name", lines: usage)
            try await expect(scene, worker + ["--connect-timeout", "0"], status: 64, "--connect", lines: usage)
            try await expect(
                scene, ["worker", "--coordinator", "localhost", "--secret-file", "x"], status: 64, "HOST:PORT",
                lines: usage)
            try await expect(scene, ["dance"], status: 64, "dance", lines: usage)
        }
    }

    @Test("flags for workers where there are none")
    func noWorkers() async throws {
        let model = Self.fixture.model
        try await Scene.play { scene in
            for command in [generate(model), ["serve", model, "--local", "0"]] {
                try await expect(
                    scene, command + ["--placement", "x"], status: 64, "--placement", "--local N", lines: 6)
            }
            for (flag, value) in [
                ("--placement-policy", "cohort"), ("--redundant-experts", "0"), ("--rebalance-interval", "60"),
                ("--rebalance-threshold", "0.05"), ("--migration-bandwidth", "1GB/s"), ("--recovery-timeout", "60"),
            ] {
                try await expect(scene, ["serve", model, flag, value], status: 64, flag, "--local N", lines: 6)
            }
        }
    }

    @Test("counts that no machine can count to")
    func counts() async throws {
        try await Scene.play { scene in
            for count in ["-9223372036854775808k", "9007199254740993k", "9223372036854775808", "1,,2"] {
                try await expect(
                    scene, ["bench", "decode", Self.fixture.model, "--positions=\(count)"], status: 64, "--positions",
                    lines: 6)
            }
        }
    }

    @Test("kernels of an instruction set that there is not; those that there are get named")
    func kernelSet() async throws {
        try await Scene.play { scene in
            try await expect(
                scene, ["bench", "kernels", "--kernel-set", "mmx"], status: 64, "--kernel-set", "'mmx'", "scalar",
                lines: 3)
        }
    }

    @Test("measurements over more positions than the model takes")
    func positions() async throws {
        try await Scene.play { scene in
            try await expect(scene, ["bench", "decode", Self.fixture.model, "--positions", "4k"], status: 64, "2560")
            try await expect(scene, ["bench", "plan", Self.fixture.model, "--positions", "2550"], status: 64, "2560")
        }
    }

    @Test("files that commands read and that are not there, or without end")
    func endless() async throws {
        let model = Self.fixture.model
        try await Scene.play { scene in
            for command in [
                ["bench", "cluster", "--trace"], ["bench", "quality", model, "--text"], ["plan", model, "--machine"],
                generate(model, ["--local", "2", "--placement"]), ["status", "--admin-key-file"],
            ] {
                try await expect(scene, command + ["/nowhere/file"], status: 66, "/nowhere/file", "No such file")
            }
            for command in [["plan", model, "--machine"], ["status", "--admin-key-file"]] {
                try await expect(scene, command + ["/dev/zero"], status: 66, "/dev/zero", "more than")
            }
        }
    }

    @Test("files for results that cannot be written, before anything is measured")
    func results() async throws {
        try await Scene.play { scene in
            let model = Self.fixture.model
            for (command, flag) in [(["plan", model], "--record"), (["kernels"], "--plot")] {
                try await expect(
                    scene, ["bench"] + command + [flag, "/nowhere/file"], status: 64, flag, "/nowhere/file")
            }
        }
    }

    @Test("a split that the model or the workers do not allow")
    func splits() async throws {
        let model = Self.fixture.model
        try await Scene.play { scene in
            let split = { (count: String, flag: String, value: String) in
                generate(model, ["--local", count, flag, value])
            }
            try await expect(scene, split("4", "--pipeline-parallel-size", "3"), status: 64, "2 MoE layers")
            try await expect(scene, split("4", "--tensor-parallel-size", "5"), status: 64, "tensor-parallel-size")
            try await expect(scene, split("20", "--tensor-parallel-size", "17"), status: 64, "give 16 or less")
            try await expect(scene, split("2", "--tensor-parallel-size", "0"), status: 64, "tensor-parallel-size")
            try await expect(scene, split("0", "--tensor-parallel-size", "2"), status: 64, "tensor-parallel-size")
            #expect(scene.processes.isEmpty)
        }
    }

    @Test("a dump that cannot be written", arguments: ["/nowhere/logits", "/", "/dev/full"])
    func dump(_ path: String) async throws {
        try await Scene.play { scene in
            let outcome = try await scene.run(generate(Self.fixture.model, ["--dump-logits", path]))
            #expect(outcome.status == (path == "/dev/full" ? 1 : 64), "\(outcome)")
            #expect(outcome.errorLines.count == 1 && outcome.error.contains(path), "\(outcome)")
        }
    }

    @Test("standard output that takes nothing", arguments: [[], ["--json"]])
    func fullOutput(_ arguments: [String]) async throws {
        try await Scene.play { scene in
            let command = (["exec", RunningProgram.cohort] + generate(Self.fixture.model, arguments)).joined(
                separator: " ")
            let outcome = try await scene.run(program: "/bin/sh", ["-c", "\(command) >/dev/full"])
            #expect(outcome.status == 1, "\(outcome)")
            #expect(outcome.errorLines.count == 1 && outcome.error.contains("standard output"), "\(outcome)")
        }
    }

    @Test("standard error that takes nothing, or is closed, does not end the work", arguments: ["2>/dev/full", "2>&-"])
    func fullError(_ redirection: String) async throws {
        try await Scene.play { scene in
            let arguments = generate(Self.fixture.model, ["--local", "2", "--report", "--verbose"])
            let command = (["exec", RunningProgram.cohort] + arguments).joined(separator: " ")
            let outcome = try await scene.run(program: "/bin/sh", ["-c", "\(command) \(redirection)"])
            #expect(outcome.status == 0 && !outcome.output.isEmpty, "\(outcome)")
        }
    }

    @Test("a text for a checkpoint without tokenizer, and a chat without template")
    func tokenizer() async throws {
        try await Scene.play { scene in
            let model = try copy(scene)
            try FileManager.default.removeItem(atPath: "\(model)/tokenizer_config.json")
            try await expect(
                scene, ["generate", model, "--prompt", "a", "--chat"], status: 66, "\(model)/tokenizer_config.json")
            try FileManager.default.removeItem(atPath: "\(model)/tokenizer.json")
            try await expect(scene, ["generate", model, "--prompt", "a"], status: 66, "\(model)/tokenizer.json")
            #expect(try await scene.run(generate(model)).status == 0)
        }
    }

    @Test("a cluster file with a mistake, by line; one that is not there; a secret for all to read")
    func clusterFiles() async throws {
        let model = Self.fixture.model
        try await Scene.play { scene in
            try await expect(scene, generate(model, ["--cluster", "/nowhere.yaml"]), status: 66, "/nowhere.yaml")
            let cluster = try ClusterScene(scene, workers: 1)
            let text = try String(contentsOfFile: cluster.file, encoding: .utf8)
            let wrong = try scene.write("wrong.yaml", text.replacing("join-timeout", with: "join-time"))
            try await expect(scene, generate(model, ["--cluster", wrong]), status: 66, "wrong.yaml:3", "join-timeout")
            try scene.write("secret", "a secret of a test cluster", mode: 0o644)
            try await expect(
                scene, generate(model, ["--cluster", cluster.file]), status: 66, cluster.secretFile, "600")
        }
    }
}
