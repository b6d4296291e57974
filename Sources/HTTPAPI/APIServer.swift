package import Cluster
internal import Foundation
package import Hummingbird
package import Logging
package import Serving
internal import ServiceLifecycle

/// The OpenAI-compatible HTTP server of one model. On graceful shutdown it takes no more requests and lets those that
/// run finish, up to a bound.
package struct APIServer: Service {
    package struct Limits: Sendable {
        /// The longest that a request's body may take to arrive.
        package var body = Duration.seconds(30)
        /// The longest that a client may leave a part of its answer unread.
        package var write = Duration.seconds(60)
        /// The longest that requests may go on after a shutdown has begun.
        package var drain = Duration.seconds(60)
        /// Connections at once; more wait to be accepted.
        package var connections = 1024

        package init() {}
    }

    /// What an operator is told.
    package enum Stage: Sendable {
        case listening(port: Int)
        case stopping
    }

    private let host: String
    private let port: Int
    private let key: APIKey?
    private let model: ServedModel
    private let runner: EngineRunner
    private let limits: Limits
    private let logger: Logger
    private let admin: AdminAPI?
    private let cluster: (any ClusterControl)?
    private let observe: @Sendable (Stage) -> Void
    private let metrics = RequestMetrics()

    /// - Parameters:
    ///   - port: 0 lets the system choose.
    ///   - key: what clients must show under /v1; nil: nothing.
    ///   - adminKey: what operators must show under /admin; nil: there is no such path.
    ///   - cluster: nil where the experts are computed in this process.
    package init(
        host: String, port: Int, key: APIKey?, model: ServedModel, runner: EngineRunner, limits: Limits = Limits(),
        logger: Logger, adminKey: APIKey? = nil, cluster: (any ClusterControl)? = nil,
        observe: @escaping @Sendable (Stage) -> Void = { _ in }
    ) {
        self.host = host
        self.port = port
        self.key = key
        self.model = model
        self.runner = runner
        self.limits = limits
        self.logger = logger
        admin = adminKey.map { AdminAPI(key: $0, cluster: cluster) }
        self.cluster = cluster
        self.observe = observe
    }

    package func run() async throws {
        try await withGracefulShutdownHandler {
            try await application().run()
        } onGracefulShutdown: {
            observe(.stopping)
            runner.stop(by: .now + limits.drain)
        }
    }

    package func application() -> some ApplicationProtocol {
        Application(
            router: router(), server: .http1(configuration: .init(idleTimeout: .seconds(Self.idleSeconds))),
            configuration: .init(
                address: .hostname(host, port: port), serverName: "cohort",
                availableConnectionsDelegate: .maximum(limits.connections, logger: logger)),
            onServerRunning: { channel in observe(.listening(port: channel.localAddress?.port ?? port)) },
            logger: logger)
    }

    private func router() -> Router<APIContext> {
        let router = Router(context: APIContext.self)
        router.add(middleware: ErrorMiddleware())
        router.get("health") { _, _ in health() }
        router.get("metrics") { _, _ in
            var text = PrometheusText(metrics.values, runner.load)
            if let status = cluster?.status { text.add(status) }
            return Response(.ok, type: "text/plain; version=0.0.4; charset=utf-8", Array(text.text.utf8))
        }
        let group = router.group("v1")
        if let key { group.add(middleware: APIKeyMiddleware(key: key, refusal: .unauthorized)) }
        group.get("models") { _, _ in Response(json: ServedModel.List(data: [model.card])) }
        group.get("models/:model") { _, context in
            let name = context.parameters.get("model") ?? ""
            guard name == model.name else { throw APIError.unknownModel(name, known: model.name) }
            return Response(json: model.card)
        }
        let completions = CompletionHandler(model: model, runner: runner, metrics: metrics, limits: limits)
        group.post("completions") { try await completions.respond($0, $1) }
        admin?.add(to: router)
        return router
    }

    private struct Health: Encodable {
        let status: String
        let reason: String?
    }

    /// 200 while requests are taken, the last step went well and nothing stands in their way.
    private func health() -> Response {
        let load = runner.load
        if load.isStopping { return Response(.serviceUnavailable, json: Health(status: "stopping", reason: nil)) }
        guard let failure = load.obstacle ?? load.failure else {
            return Response(json: Health(status: "ok", reason: nil))
        }
        return Response(.serviceUnavailable, json: Health(status: "failing", reason: failure))
    }

    /// How long a connection without a request is kept.
    private static let idleSeconds: Int64 = 75
}
