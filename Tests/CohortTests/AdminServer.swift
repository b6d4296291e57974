import Cluster
import HTTPAPI
import Hummingbird
import HummingbirdTesting
import TestSupport
import Testing

/// The admin API alone, on a port of loopback, before a cluster that is made up.
struct AdminServer {
    let cluster: FakeCluster?
    let port: Int

    static func serve(
        _ cluster: FakeCluster?, _ body: @Sendable @escaping (AdminServer) async throws -> Void
    ) async throws {
        let router = Router(context: APIContext.self)
        if let key = APIKey("secret") { AdminAPI(key: key, cluster: cluster).add(to: router) }
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)))
        try await application.test(.live) { client in
            try await body(AdminServer(cluster: cluster, port: #require(client.port)))
        }
    }

    /// The flags of a command that talks to it.
    var flags: [String] { ["--server", "http://127.0.0.1:\(port)", "--admin-key", "secret"] }

    var address: String { "http://127.0.0.1:\(port)" }
}
