import Foundation
import Hummingbird
import HummingbirdTesting
import Synchronization
import TestSupport
import Testing

/// A seeded completion of a server, and what it answered.
struct ServedCompletion: Sendable {
    let status: Int
    /// The choices, with the log-probability of every token; the error where there are none.
    let content: Data

    var text: String { String(decoding: content, as: UTF8.self) }

    /// Asks the server of this machine.
    static func ask(_ port: Int) async throws -> ServedCompletion {
        let json = """
            {"prompt": [0, 5, 7], "max_tokens": 60, "temperature": 2, "seed": 7, "ignore_eos": true, "logprobs": 2}
            """
        return try await TestClient.withClient(host: "127.0.0.1", port: port) { client in
            let response = try await client.execute(
                TestClient.Request(
                    "/v1/completions", method: .post, authority: "localhost", headers: [:],
                    body: ByteBuffer(string: json)))
            let body = try #require(response.body)
            let object = try JSONSerialization.jsonObject(with: Data(body.readableBytesView)) as? [String: Any]
            let content = try #require(object?["choices"] ?? object?["error"])
            return ServedCompletion(
                status: response.status.code,
                content: try JSONSerialization.data(withJSONObject: content, options: .sortedKeys))
        }
    }

    /// Asks one request after the other for as long as `work` takes.
    /// - Returns: what came, never nothing.
    static func asked(_ port: Int, during work: () async throws -> Void) async throws -> [ServedCompletion] {
        let isOver = Over()
        async let answers = asked(port, until: isOver)
        do {
            try await work()
        } catch {
            isOver.set()
            _ = try? await answers
            throw error
        }
        isOver.set()
        return try await answers
    }

    private static func asked(_ port: Int, until isOver: Over) async throws -> [ServedCompletion] {
        var answers: [ServedCompletion] = []
        repeat { answers.append(try await ask(port)) } while !isOver.value
        return answers
    }

    /// For any thread.
    private final class Over: Sendable {
        private let state = Atomic(false)

        var value: Bool { state.load(ordering: .relaxed) }

        func set() { state.store(true, ordering: .relaxed) }
    }
}
