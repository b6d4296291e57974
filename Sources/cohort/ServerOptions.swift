internal import ArgumentParser
internal import Foundation

/// Which running coordinator a command talks to.
struct ServerOptions: ParsableArguments {
    @Option(help: "The running server, as http://HOST:PORT, or https:// where a TLS proxy stands before it.")
    var server = "http://127.0.0.1:8000"

    @OptionGroup
    var key: AdminKeyOptions

    func validate() throws {
        guard Self.parse(server) != nil else {
            throw ValidationError("--server is \"\(server)\": give http://HOST:PORT, such as http://10.0.0.1:8000")
        }
    }

    /// Does something with the server.
    func connect<Result: Sendable>(_ body: (AdminClient) async throws -> Result) async throws -> Result {
        guard let address = Self.parse(server) else { throw UsageError("--server is \"\(server)\"") }
        let client = AdminClient(server: address.url, key: try chooseKey(address))
        do {
            let result = try await body(client)
            await client.close()
            return result
        } catch {
            await client.close()
            throw error
        }
    }

    /// A key that a server of this machine has left is shown to this machine alone.
    private func chooseKey(_ address: Address) throws -> String? {
        try key.given() ?? (address.isLocal ? OwnAdminKey.find(port: address.port) : nil)
    }

    private struct Address {
        let url: String
        let host: String
        let port: Int

        /// Whether it is an address of loopback; of names only the one that always is.
        var isLocal: Bool {
            var four = in_addr()
            var six = in6_addr()
            if inet_pton(AF_INET, host, &four) == 1 { return UInt32(bigEndian: four.s_addr) >> 24 == 127 }
            if inet_pton(AF_INET6, host, &six) == 1 {
                return withUnsafeBytes(of: &six) { $0.dropLast().allSatisfy { $0 == 0 } && $0.last == 1 }
            }
            return host == "localhost"
        }
    }

    private static func parse(_ text: String) -> Address? {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme, ["http", "https"].contains(scheme),
            let host = parts.host, !host.isEmpty, ["", "/"].contains(parts.path), parts.query == nil,
            parts.user == nil, parts.fragment == nil, 1...65535 ~= parts.port ?? 80
        else { return nil }
        return Address(
            url: text.hasSuffix("/") ? String(text.dropLast()) : text,
            host: host.trimmingCharacters(in: ["[", "]"]), port: parts.port ?? (scheme == "http" ? 80 : 443))
    }
}
