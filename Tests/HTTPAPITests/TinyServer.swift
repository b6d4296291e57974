import Checkpoint
import Cluster
import Experts
import Foundation
import HTTPAPI
import Hummingbird
import HummingbirdTesting
import Kernels
import Logging
import Model
import Serving
import TestSupport
import Testing
import Tokenization

/// A server of the tiny checkpoint beside the tests.
struct TinyServer {
    static let fixture = Fixture("tiny-r1-fp8")

    let checkpoint: Checkpoint
    let text: ModelText
    let runner: EngineRunner
    let server: APIServer

    init(
        running: Int = 8, waiting: Int = 64, key: APIKey? = nil, limits: APIServer.Limits = .init(),
        adminKey: APIKey? = nil, cluster: (any ClusterControl)? = nil,
        interlude: any Interlude = Nap()
    ) throws {
        checkpoint = try Checkpoint(folder: Self.fixture.model)
        text = try ModelText(folder: checkpoint.folder)
        runner = EngineRunner(
            engine: try Self.engine(checkpoint),
            limits: .init(running: running, waiting: waiting, wait: .seconds(60)),
            interlude: interlude)
        let model = ServedModel(
            name: "tiny", text: text, endIDs: Set(checkpoint.config.eosTokenIDs), contextLength: 4096)
        server = APIServer(
            host: "127.0.0.1", port: 0, key: key, model: model, runner: runner, limits: limits,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, adminKey: adminKey, cluster: cluster)
    }

    static func engine(_ checkpoint: Checkpoint) throws -> Engine {
        let config = checkpoint.config
        let processor = Processor(threads: 1, compute: .f32)
        let experts = LocalExperts(
            shard: try ExpertShard(allOf: checkpoint, layers: Array(config.expertLayers)),
            processor: processor, hiddenSize: config.hiddenSize, expertsPerToken: config.expertsPerToken,
            maximumTokens: 64, exchange: .f32)
        return Engine(
            model: try DecoderModel(from: checkpoint), experts: experts, processor: processor,
            limits: .init(prefillChunk: 64, cachePositions: 4096))
    }

    /// Serves on a port of loopback while `body` runs.
    func serve(_ body: @Sendable (Client) async throws -> Void) async throws {
        async let end: Void = runner.run()
        do {
            try await server.application().test(.live) { try await body(Client(port: #require($0.port))) }
        } catch {
            runner.stop(by: .now)
            await end
            throw error
        }
        runner.stop(by: .now)
        await end
    }

    /// Sends each request over a connection of its own.
    struct Client: Sendable {
        let port: Int

        struct Answer: Sendable {
            let status: Int
            let headers: HTTPFields
            let text: String

            func object() throws -> [String: Any] {
                try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            }

            func error() throws -> [String: Any] { try #require(try object()["error"] as? [String: Any]) }

            /// The only choice.
            func choice() throws -> [String: Any] {
                let choices = try #require(try object()["choices"] as? [[String: Any]])
                return try #require(choices.first)
            }

            /// The data of the events, the last one too.
            func events() throws -> [String] {
                let frames = text.components(separatedBy: "\n\n")
                try #require(frames.last == "")
                return try frames.dropLast().map {
                    try #require($0.hasPrefix("data: ") && !$0.contains("\n"))
                    return String($0.dropFirst("data: ".count))
                }
            }
        }

        func get(_ path: String, headers: HTTPFields = [:]) async throws -> Answer {
            try await send(.get, path, headers: headers)
        }

        func send(_ method: HTTPRequest.Method, _ path: String, headers: HTTPFields) async throws -> Answer {
            try await send(TestClient.Request(path, method: method, authority: "localhost", headers: headers))
        }

        func complete(_ json: String, headers: HTTPFields = [:]) async throws -> Answer {
            try await send(Self.completion(json, headers))
        }

        /// Sends a request, waits a moment and goes away.
        func abandon(_ json: String, after pause: Duration) async throws {
            try await TestClient.withClient(host: "localhost", port: port) { client in
                try await client.executeAndDontWaitForResponse(Self.completion(json, [:]))
                try await Task.sleep(for: pause)
            }
        }

        private static func completion(_ json: String, _ headers: HTTPFields) -> TestClient.Request {
            TestClient.Request(
                "/v1/completions", method: .post, authority: "localhost", headers: headers,
                body: ByteBuffer(string: json))
        }

        private func send(_ request: TestClient.Request) async throws -> Answer {
            try await TestClient.withClient(host: "localhost", port: port) { client in
                let response = try await client.execute(request)
                return Answer(
                    status: response.status.code, headers: response.headers,
                    text: response.body.map { String(buffer: $0) } ?? "")
            }
        }
    }
}
