package import Cluster
internal import Foundation
package import Hummingbird

/// What a running cluster tells its operator, and what it is asked, under /admin.
package struct AdminAPI: Sendable {
    private let key: APIKey
    private let cluster: (any ClusterControl)?

    /// - Parameters:
    ///   - key: what every request must show.
    ///   - cluster: nil where the server has no workers.
    package init(key: APIKey, cluster: (any ClusterControl)?) {
        self.key = key
        self.cluster = cluster
    }

    package func add(to router: Router<APIContext>) {
        let group = router.group("admin").add(middleware: APIKeyMiddleware(key: key, refusal: .wrongAdminKey))
        group.get("status") { _, _ in Self.answer(.ok, try known().status) }
        group.get("loads") { _, _ in Response(.ok, LoadFile.encode(try known().statistics)) }
        group.get("placement") { _, _ in try await record() }
        group.post("rebalance") { _, _ in try await perform(.rebalance) }
        group.post("workers/:name/drain") { _, context in try await perform(.drain(name: Self.name(context))) }
        group.delete("workers/:name") { _, context in try await perform(.remove(name: Self.name(context))) }
    }

    /// 202 for what is under way from now on, 200 for what was before; the status as of then.
    private func perform(_ command: ClusterCommand) async throws -> Response {
        let cluster = try known()
        switch await cluster.perform(command) {
        case .accepted: return Self.answer(.accepted, cluster.status)
        case .underWay: return Self.answer(.ok, cluster.status)
        case .refused(let error): throw APIError.refused(error)
        }
    }

    /// The statistics and the placement with the names of its workers. The two are read one after the other, so they
    /// are read again while their epochs differ.
    private func record() async throws -> Response {
        let cluster = try known()
        for _ in 0..<Self.attempts {
            let (placement, status) = (cluster.placement, cluster.status)
            if placement.epoch == status.epoch, let named = NamedPlacement(placement, names: status.workers.map(\.name))
            {
                return Response(.ok, PlacementFile.encode(cluster.statistics, named))
            }
            try await Task.sleep(for: Self.pause)
        }
        throw APIError.changing
    }

    private func known() throws -> any ClusterControl {
        guard let cluster else { throw APIError.noCluster }
        return cluster
    }

    private static func answer(_ code: HTTPResponse.Status, _ status: ClusterStatus) -> Response {
        Response(code, status.json())
    }

    /// Several times as long as a status may be out of date.
    private static let attempts = 50
    private static let pause = Duration.milliseconds(100)

    private static func name(_ context: APIContext) throws -> String {
        guard let name = context.parameters.get("name")?.removingPercentEncoding else {
            throw APIError.invalid("the worker's name is not percent-encoded UTF-8: encode it", parameter: "name")
        }
        return name
    }
}
