import TestSupport
import Testing

/// The program, with four worker processes, against the reference implementation.
@Suite struct GeneratedReferenceTests {
    @Test(
        "the R1-shaped checkpoints' logits, experts and tokens are the reference's",
        arguments: ["tiny-r1-fp8", "tiny-r1-bf16"], [("f32", Judge.Mode.f32), ("fast", .bf16)])
    func matches(_ name: String, _ arithmetic: (String, Judge.Mode)) async throws {
        try await judge(Fixture(name), compute: arithmetic.0, arithmetic.1)
    }

    @Test("so are the smaller relatives'", arguments: [("f32", Judge.Mode.f32), ("fast", .bf16)])
    func relatives(_ arithmetic: (String, Judge.Mode)) async throws {
        for name in ["fp8-odd", "qnull-norope", "v2-group", "v2-lite"] {
            try await judge(Fixture(name), compute: arithmetic.0, arithmetic.1)
        }
    }

    private func judge(_ fixture: Fixture, compute: String, _ mode: Judge.Mode) async throws {
        let logits = try fixture.referenceLogits()
        var judge = Judge(mode)
        try await Scene.play { scene in
            for prompt in try fixture.reference().prompts {
                let dump = scene.path("logits.safetensors")
                let count = prompt.greedy.ids.count
                var arguments = [
                    "generate", fixture.model, "--local", "4", "--prompt-ids", prompt.ids.list, "--max-tokens",
                    "\(count)", "--dump-logits", dump, "--routing", "--json", "--ignore-eos",
                ]
                if compute != "fast" { arguments += ["--compute", compute] }
                let completion = try Completion(try await scene.run(arguments))
                #expect(completion.promptIDs == prompt.ids && completion.ids.count == count)
                let positions = prompt.ids.count + count - 1
                let last = try #require(logits["\(prompt.name).last"])
                let candidate = try completion.candidate(logits: dump, vocabularySize: last.count)
                #expect(candidate.logits.count == positions * last.count)
                judge.hold(candidate, against: prompt, last: last, prediction: logits["\(prompt.name).mtp_last"])
            }
        }
        #expect(judge.verdict() == [], "\(fixture.name)")
    }
}
