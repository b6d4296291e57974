import Foundation
import HTTPAPI
import Hummingbird
import Serving
import TestSupport
import Testing

@Suite("The server", .timeLimit(.minutes(2))) struct APIServerTests {
    private let reference: Reference

    init() throws {
        reference = try TinyServer.fixture.reference()
    }

    private func greedy(_ prompt: Reference.Prompt, tokens: Int? = nil, _ more: String = "") -> String {
        """
        {"model": "tiny", "prompt": \(prompt.ids), "max_tokens": \(tokens ?? prompt.greedy.ids.count), \
        "temperature": 0, "ignore_eos": true\(more)}
        """
    }

    /// The text of a stream's chunks, put together.
    private func text(_ events: [String]) throws -> String {
        try events.dropLast().map { event in
            let object = try #require(try JSONSerialization.jsonObject(with: Data(event.utf8)) as? [String: Any])
            let choices = try #require(object["choices"] as? [[String: Any]])
            return choices.first?["text"] as? String ?? ""
        }.joined()
    }

    @Test("completes prompts as the reference implementation does, several at once")
    func completions() async throws {
        let tiny = try TinyServer()
        try await tiny.serve { client in
            try await withThrowingTaskGroup { group in
                for prompt in reference.prompts {
                    group.addTask {
                        let answer = try await client.complete(greedy(prompt))
                        let expected = tiny.text.tokenizer?.decode(prompt.greedy.ids, skipSpecialTokens: true)
                        #expect(answer.status == 200)
                        #expect(try answer.choice()["text"] as? String == expected, "\(prompt.name)")
                        #expect(try answer.choice()["finish_reason"] as? String == "length")
                        let usage = try #require(try answer.object()["usage"] as? [String: Int])
                        #expect(usage["prompt_tokens"] == prompt.ids.count)
                        #expect(usage["completion_tokens"] == prompt.greedy.ids.count)
                        #expect(usage["total_tokens"] == prompt.ids.count + prompt.greedy.ids.count)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("takes a prompt as text, with BOS in front")
    func textPrompt() async throws {
        let prompt = try #require(reference.prompts.first { $0.name == "short" })
        let bare = try JSONEncoder().encode(try #require(prompt.text).replacing("<｜begin▁of▁sentence｜>", with: ""))
        try await TinyServer().serve { client in
            let answer = try await client.complete(
                #"{"prompt": \#(String(decoding: bare, as: UTF8.self)), "temperature": 0, "max_tokens": 9}"#)
            let expected = try await client.complete(greedy(prompt, tokens: 9))
            #expect(try answer.choice()["text"] as? String == expected.choice()["text"] as? String)
        }
    }

    @Test("streams the same text, the usage when asked for, and an end")
    func stream() async throws {
        let prompt = reference.prompts[1]
        try await TinyServer().serve { client in
            let whole = try await client.complete(greedy(prompt))
            let stream = try await client.complete(greedy(prompt, #", "stream": true"#))
            #expect(stream.headers[.contentType] == "text/event-stream")
            let events = try stream.events()
            #expect(events.last == "[DONE]")
            #expect(try text(events) == whole.choice()["text"] as? String)
            #expect(events.count > prompt.greedy.ids.count / 2)
            #expect(events.dropLast(2).allSatisfy { $0.contains(#""finish_reason":null"#) })
            #expect(events[events.count - 2].contains(#""finish_reason":"length""#))
            #expect(!stream.text.contains("usage"))
            let counted = try await client.complete(
                greedy(prompt, #", "stream": true, "stream_options": {"include_usage": true}"#)
            ).events()
            #expect(counted[counted.count - 2].contains(#""completion_tokens":48"#))
            #expect(counted[counted.count - 2].contains(#""choices":[]"#))
            #expect(counted.dropLast(2).allSatisfy { $0.contains(#""usage":null"#) })
        }
    }

    @Test("gives the engine's own log-probabilities, streamed or not")
    func logprobs() async throws {
        let prompt = reference.prompts[1]
        let tiny = try TinyServer()
        let engine = try TinyServer.engine(tiny.checkpoint)
        let sequence = try engine.submit(
            GenerationRequest(promptIDs: prompt.ids, maximumTokens: 6, sampling: .greedy, topCount: 2))
        while engine.hasWork { _ = try engine.step() }
        let steps = sequence.steps
        try await tiny.serve { client in
            let answer = try await client.complete(greedy(prompt, tokens: 6, #", "logprobs": 2"#))
            let logprobs = try #require(try Chunk(answer.text).choices.first?.logprobs)
            #expect(logprobs.values == steps.map(\.logProbability))
            for (names, step) in zip(logprobs.top, steps) {
                #expect(names.values.sorted(by: >) == step.top.map(\.logProbability))
            }
            #expect(logprobs.offsets.first == 0)
            let stream = try await client.complete(greedy(prompt, tokens: 6, #", "logprobs": 2, "stream": true"#))
            let chunks = try stream.events().dropLast().map(Chunk.init)
            #expect(chunks.flatMap { $0.choices.first?.logprobs?.values ?? [] } == logprobs.values)
        }
    }

    /// A chunk as `JSONDecoder` reads it, which keeps every bit of a number.
    private struct Chunk: Decodable {
        struct Choice: Decodable {
            let logprobs: Logprobs?
        }

        struct Logprobs: Decodable {
            let values: [Double]
            let top: [[String: Double]]
            let offsets: [Int]

            enum CodingKeys: String, CodingKey {
                case values = "token_logprobs"
                case top = "top_logprobs"
                case offsets = "text_offset"
            }
        }

        let choices: [Choice]

        init(_ json: String) throws {
            self = try JSONDecoder().decode(Self.self, from: Data(json.utf8))
        }
    }

    @Test("ends at a stop string and shows none of it", arguments: [false, true])
    func stopString(isStreamed: Bool) async throws {
        let prompt = reference.prompts[1]
        try await TinyServer().serve { client in
            let whole = try #require(try await client.complete(greedy(prompt)).choice()["text"] as? String)
            let start = whole.index(whole.startIndex, offsetBy: 17)
            let stop = whole[start..<whole.index(start, offsetBy: 9)]
            let expected = whole[..<(try #require(whole.range(of: stop)?.lowerBound))]
            let json = String(decoding: try JSONEncoder().encode(["never", String(stop)]), as: UTF8.self)
            let answer = try await client.complete(greedy(prompt, #", "stop": \#(json), "stream": \#(isStreamed)"#))
            let text =
                isStreamed ? try text(answer.events()) : try #require(try answer.choice()["text"] as? String)
            #expect(text == String(expected))
            #expect(answer.text.contains(#""finish_reason":"stop""#))
        }
    }

    @Test(
        "answers a bad request in the shape that clients read",
        arguments: [
            ("{\"prompt\":", 400, nil), ("[]", 400, nil), ("{}", 400, "prompt"), (#"{"prompt": {}}"#, 400, "prompt"),
            (#"{"prompt": ["a", "b"]}"#, 400, "prompt"), (#"{"prompt": []}"#, 400, "prompt"),
            (#"{"prompt": [2048]}"#, 400, "prompt"), (#"{"prompt": "a", "model": "other"}"#, 404, "model"),
            (#"{"prompt": "a", "max_tokens": "x"}"#, 400, "max_tokens"),
            (#"{"prompt": "a", "max_tokens": 0}"#, 400, "max_tokens"),
            (#"{"prompt": "a", "max_tokens": 9223372036854775807}"#, 400, "prompt"),
            (#"{"prompt": "a", "n": 2}"#, 400, "n"), (#"{"prompt": "a", "echo": true}"#, 400, "echo"),
            (#"{"prompt": "a", "stop": ["1", "2", "3", "4", "5"]}"#, 400, "stop"),
            (#"{"prompt": "a", "stop": ""}"#, 400, "stop"), (#"{"prompt": "a", "logprobs": 21}"#, 400, "logprobs"),
            (#"{"prompt": "a", "temperature": -1}"#, 400, nil), (#"{"prompt": "a", "top_p": 0}"#, 400, nil),
            (#"{"prompt": "a", "stream_options": {}}"#, 400, "stream_options"),
        ] as [(String, Int, String?)])
    func badRequests(json: String, status: Int, parameter: String?) async throws {
        try await TinyServer().serve { client in
            let answer = try await client.complete(json)
            #expect(answer.status == status)
            let error = try answer.error()
            #expect(error["param"] as? String == parameter)
            #expect(error["type"] as? String == "invalid_request_error")
            #expect((error["message"] as? String)?.isEmpty == false)
        }
    }

    @Test("refuses a body over the limit, an unknown path and an unknown method")
    func otherRefusals() async throws {
        try await TinyServer().serve { client in
            let large = try await client.complete(String(repeating: " ", count: 1_000_000))
            #expect(large.status == 413)
            #expect(try large.error()["message"] as? String != nil)
            #expect(try await client.get("/v1/nothing").error()["code"] as? String == "unknown_url")
            #expect(try await client.get("/v1/completions").status == 404)
            #expect(try await client.get("/v1/models/other").status == 404)
        }
    }

    @Test("lists its model, and says that it is well")
    func models() async throws {
        try await TinyServer().serve { client in
            let list = try await client.get("/v1/models").object()
            let cards = try #require(list["data"] as? [[String: Any]])
            #expect(cards.map { $0["id"] as? String } == ["tiny"])
            #expect(try await client.get("/v1/models/tiny").object()["object"] as? String == "model")
            let health = try await client.get("/health")
            #expect(health.status == 200 && health.text == #"{"status":"ok"}"#)
        }
    }

    @Test("asks for its key under /v1 alone")
    func key() async throws {
        try await TinyServer(key: APIKey("secret")).serve { client in
            for headers: HTTPFields in [[:], [.authorization: "Bearer secrets"], [.authorization: "Basic secret"]] {
                let answer = try await client.get("/v1/models", headers: headers)
                #expect(answer.status == 401)
                #expect(try answer.error()["code"] as? String == "invalid_api_key")
                #expect(try await client.complete(#"{"prompt": "a"}"#, headers: headers).status == 401)
            }
            #expect(try await client.get("/v1/models", headers: [.authorization: "Bearer secret"]).status == 200)
            #expect(try await client.get("/health").status == 200)
        }
    }

    @Test(
        "cancels the sequence of a client that goes away", .timeLimit(.minutes(1)), arguments: [false, true])
    func disconnect(isStreamed: Bool) async throws {
        let tiny = try TinyServer()
        try await tiny.serve { client in
            let json = #"{"prompt": "a", "max_tokens": 4000, "ignore_eos": true, "stream": \#(isStreamed)}"#
            // On a busy machine a completion may be over before its client leaves.
            var ended = 0
            while try await client.get("/metrics").text.contains("cohort_requests_total{outcome=\"cancelled\"} 0") {
                if tiny.runner.load.running == 0, ended < 20 {
                    ended += 1
                    try await client.abandon(json, after: .milliseconds(200))
                }
                try await Task.sleep(for: .milliseconds(5))
            }
            // The engine's thread takes notice between two steps.
            while tiny.runner.load.running > 0 { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    @Test("answers 429 when the queue is full, and 503 when it stops")
    func busy() async throws {
        let tiny = try TinyServer(running: 1, waiting: 1)
        let long = GenerationRequest(promptIDs: [1], maximumTokens: 4000)
        try await tiny.serve { client in
            let running = try tiny.runner.submit(long)
            while tiny.runner.load.running == 0 { try await Task.sleep(for: .milliseconds(1)) }
            let waiting = try tiny.runner.submit(long)
            let refused = try await client.complete(#"{"prompt": "a"}"#)
            #expect(refused.status == 429)
            #expect(refused.headers[.retryAfter] == "1")
            #expect(try refused.error()["code"] as? String == "queue_full")
            running.cancel()
            waiting.cancel()
            tiny.runner.stop(by: .now)
            #expect(try await client.complete(#"{"prompt": "a"}"#).status == 503)
            #expect(try await client.get("/health").status == 503)
        }
    }

    @Test("ends a stream with an error when the engine is stopped")
    func stopped() async throws {
        let tiny = try TinyServer()
        try await tiny.serve { client in
            async let answer = client.complete(
                #"{"prompt": "a", "max_tokens": 4000, "ignore_eos": true, "stream": true}"#)
            while tiny.runner.load.running == 0 { try await Task.sleep(for: .milliseconds(1)) }
            tiny.runner.stop(by: .now)
            let events = try await answer.events()
            #expect(events.last?.contains(#""type":"service_unavailable""#) == true)
        }
    }

    @Test("counts requests, tokens and what the workers did")
    func metrics() async throws {
        let cluster = try FakeCluster()
        cluster.status.workers[0].name = "a\"b"
        cluster.status.workers[0].rows = 1
        cluster.status.workers[0].pairs = 2
        cluster.status.workers[0].sentBytes = 3
        cluster.status.workers[0].receivedBytes = 4
        cluster.status.workers[0].busySeconds = 5.5
        try await TinyServer(cluster: cluster).serve { client in
            _ = try await client.complete(greedy(reference.prompts[1], tokens: 5))
            _ = try await client.complete("{}")
            let text = try await client.get("/metrics").text
            for line in [
                #"cohort_requests_total{outcome="length"} 1"#, #"cohort_requests_total{outcome="refused"} 1"#,
                "cohort_prompt_tokens_total 15", "cohort_generated_tokens_total 5", "cohort_requests_running 0",
                "cohort_cache_positions 4096", "cohort_time_to_first_token_seconds_count 1",
                "cohort_inter_token_latency_seconds_count 4", #"cohort_worker_rows_total{worker="a\"b"} 1"#,
                #"cohort_worker_pairs_total{worker="a\"b"} 2"#, #"cohort_worker_sent_bytes_total{worker="a\"b"} 3"#,
                #"cohort_worker_received_bytes_total{worker="a\"b"} 4"#,
                #"cohort_worker_busy_seconds_total{worker="a\"b"} 5.5"#,
            ] {
                #expect(text.contains(line + "\n"), "\(line)")
            }
        }
    }
}
