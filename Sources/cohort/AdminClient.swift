internal import AsyncHTTPClient
internal import Cluster
internal import Foundation
internal import NIOCore
internal import NIOPosix

/// A running coordinator, asked over HTTP. To be closed.
struct AdminClient: Sendable {
    /// The coordinator's answer to a command, and its status as of then.
    struct Reply: Sendable {
        /// Whether the same was under way before.
        let wasUnderWay: Bool
        let status: ClusterStatus
    }

    private let server: String
    private let key: String?
    private let client: HTTPClient

    /// - Parameters:
    ///   - server: "http://HOST:PORT".
    ///   - key: nil where none is known.
    init(server: String, key: String?) {
        self.server = server
        self.key = key
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow, timeout: .init(connect: .seconds(Self.connectSeconds)))
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    func close() async { try? await client.shutdown() }

    func status() async throws -> ClusterStatus {
        try status(try await send("GET", "status", seconds: Self.readSeconds).bytes)
    }

    /// The load statistics and the placement, as a file holds them.
    func placementFile() async throws -> [UInt8] {
        let bytes = try await send("GET", "placement", seconds: Self.readSeconds).bytes
        do {
            _ = try PlacementFile.decode(bytes, file: server)
        } catch { throw stranger }
        return bytes
    }

    /// Waits until the coordinator has taken the command, not until it has done it.
    func perform(_ command: ClusterCommand) async throws -> Reply {
        let answer =
            switch command {
            case .rebalance: try await send("POST", "rebalance", seconds: Self.commandSeconds)
            case .drain(let name):
                try await send("POST", "workers/\(Self.encoded(name))/drain", seconds: Self.commandSeconds)
            case .remove(let name):
                try await send("DELETE", "workers/\(Self.encoded(name))", seconds: Self.commandSeconds)
            }
        return Reply(wasUnderWay: answer.code == 200, status: try status(answer.bytes))
    }

    private func status(_ bytes: [UInt8]) throws -> ClusterStatus {
        guard let status = ClusterStatus(json: bytes) else { throw stranger }
        return status
    }

    /// - Returns: the answer if it is a good one.
    private func send(_ method: String, _ path: String, seconds: Int64) async throws -> (code: Int, bytes: [UInt8]) {
        var request = HTTPClientRequest(url: "\(server)/admin/\(path)")
        request.method = .init(rawValue: method)
        if let key { request.headers.add(name: "Authorization", value: "Bearer \(key)") }
        let code: Int
        let bytes: [UInt8]
        do {
            let response = try await client.execute(request, timeout: .seconds(seconds))
            code = Int(response.status.code)
            bytes = Array(try await response.body.collect(upTo: PlacementFile.maximumByteSize).readableBytesView)
        } catch {
            throw UnreachableError(
                "\(server) cannot be reached (\(Self.reason(error))): start 'cohort serve', or name another --server")
        }
        guard 200..<300 ~= code else { throw refusal(code, bytes) }
        return (code, bytes)
    }

    private struct Refusal: Decodable {
        struct Fields: Decodable {
            let message: String
        }

        let error: Fields
    }

    private func refusal(_ code: Int, _ bytes: [UInt8]) -> WorkError {
        if code == 401 { return key == nil ? keyless : wrongKey }
        guard let refusal = try? JSONDecoder().decode(Refusal.self, from: Data(bytes)) else { return stranger }
        return WorkError(refusal.error.message)
    }

    private var wrongKey: WorkError {
        WorkError("\(server) refuses the admin key: give the one that it was started with, by --admin-key-file")
    }

    private var keyless: WorkError {
        WorkError(
            """
            \(server) asks for its admin key: give --admin-key-file or COHORT_ADMIN_KEY, or be the server's user on \
            the server's machine (looked in \(OwnAdminKey.folders.joined(separator: " and ")))
            """)
    }

    private var stranger: WorkError {
        WorkError("\(server) does not answer as this version of cohort does: name another --server")
    }

    private static func encoded(_ name: String) -> String {
        let plain = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~")
        return name.addingPercentEncoding(withAllowedCharacters: plain) ?? name
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { reason($0.error) } ?? "its name is not known"
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case let error as HTTPClientError where slow.contains(error): "no answer in time"
        case let error as HTTPClientError where error == .remoteConnectionClosed: "it closed the connection"
        default: "\(error)"
        }
    }

    private static let slow: [HTTPClientError] = [.connectTimeout, .deadlineExceeded, .readTimeout]
    private static let connectSeconds: Int64 = 5
    private static let readSeconds: Int64 = 15
    /// A command is taken between two steps; a step of a long prompt on a large model takes tens of seconds.
    private static let commandSeconds: Int64 = 120
}

/// A server that does not answer.
struct UnreachableError: Reportable, CustomStringConvertible {
    let description: String
    var exitStatus: Int32 { ExitStatus.unreachable }

    init(_ description: String) {
        self.description = description
    }
}
