import HTTPAPI
import Serving
import Testing
import Tokenization

@Suite("A completion request") struct CompletionRequestTests {
    private let model: ServedModel

    init() throws {
        model = ServedModel(
            name: "tiny", text: try ModelText(folder: TinyServer.fixture.model), endIDs: [1], contextLength: 4096)
    }

    private func request(_ json: String) throws -> CompletionRequest {
        try CompletionRequest(Array(json.utf8), for: model)
    }

    @Test("has OpenAI's defaults")
    func defaults() throws {
        let request = try request(#"{"prompt": [5, 6]}"#)
        #expect(request.generation.promptIDs == [5, 6])
        #expect(request.generation.maximumTokens == 16)
        #expect(request.generation.sampling.temperature == 1)
        #expect(request.generation.sampling.topP == 1)
        #expect(request.generation.sampling.topK == 0)
        #expect(request.generation.sampling.minP == 0)
        #expect(request.generation.stopIDs == [1])
        #expect(request.generation.topCount == 0)
        #expect(request.stops.isEmpty)
        #expect(!request.isStreamed && !request.includesUsage && !request.includesLogprobs)
    }

    @Test("takes every parameter")
    func everything() throws {
        let request = try request(
            """
            {"model": "tiny", "prompt": [[7]], "max_tokens": 3, "temperature": 0.5, "top_p": 0.25, "top_k": 9, \
            "min_p": 0.125, "seed": 18446744073709551615, "stop": ["a", "b"], "stream": true, \
            "stream_options": {"include_usage": true}, "logprobs": 0, "n": 1, "ignore_eos": true, "echo": false, \
            "user": "somebody", "suffix": null}
            """)
        #expect(request.generation.promptIDs == [7])
        #expect(request.generation.maximumTokens == 3)
        #expect(
            request.generation.sampling
                == SamplingParameters(temperature: 0.5, topK: 9, topP: 0.25, minP: 0.125, seed: .max))
        #expect(request.generation.stopIDs.isEmpty)
        #expect(request.stops == ["a", "b"])
        #expect(request.isStreamed && request.includesUsage && request.includesLogprobs)
    }

    @Test("takes -1 for every token, a negative seed and one stop string")
    func variants() throws {
        let request = try request(#"{"prompt": ["a"], "top_k": -1, "seed": -1, "stop": "x"}"#)
        #expect(request.generation.sampling.topK == 0)
        #expect(request.generation.sampling.seed == .max)
        #expect(request.stops == ["x"])
        #expect(try request.generation.promptIDs == model.text.encode("a"))
    }

    @Test("needs ids where the checkpoint has no tokenizer")
    func noTokenizer() throws {
        let bare = ServedModel(
            name: "bare", text: try ModelText(folder: TinyServer.fixture.model + "/none"), endIDs: [], contextLength: 64
        )
        #expect(throws: APIError.self) { try CompletionRequest(Array(#"{"prompt": "a"}"#.utf8), for: bare) }
        #expect(
            try CompletionRequest(Array(#"{"prompt": [1]}"#.utf8), for: bare).generation.promptIDs == [1])
    }

    @Test(
        "shows its key in one way only",
        arguments: [
            ("Bearer key", true), ("bearer key", true), ("Bearer keys", false), ("Bearer ke", false),
            ("Bearer ", false),
            ("key", false), (nil, false),
        ] as [(String?, Bool)])
    func key(header: String?, isShown: Bool) throws {
        #expect(try #require(APIKey("key")).isShown(by: header) == isShown)
        #expect(APIKey("") == nil)
    }
}
