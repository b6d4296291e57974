/// Where another worker may be dialled.
package struct PeerAddress: Sendable, Hashable, CustomStringConvertible {
    package let host: String
    /// 1...65535
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// nil for an empty host, which stands for no address.
    init?(host: UnsafePointer<CChar>?, port: UInt32) throws(ControlError) {
        let name = try ProtobufField.text(host, field: "source_host", limit: WireLimit.hostBytes)
        guard !name.isEmpty else { return nil }
        let number = try ProtobufField.port(port, field: "source_port")
        guard number > 0 else { throw .outOfRange(field: "source_port", value: 0) }
        self.init(host: name, port: number)
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
