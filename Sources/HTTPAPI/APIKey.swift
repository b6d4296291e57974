/// The key that clients show.
package struct APIKey: Sendable {
    private let bytes: [UInt8]

    /// - Returns: nil for an empty key.
    package init?(_ text: String) {
        guard !text.isEmpty else { return nil }
        bytes = Array(text.utf8)
    }

    /// Whether an Authorization header shows this key. How long it takes depends on the header alone.
    package func isShown(by header: String?) -> Bool {
        let scheme = "bearer "
        guard let header, header.prefix(scheme.count).lowercased() == scheme else { return false }
        let shown = Array(header.dropFirst(scheme.count).utf8)
        var difference = UInt(bitPattern: shown.count ^ bytes.count)
        for (index, byte) in shown.enumerated() { difference |= UInt(byte ^ bytes[index % bytes.count]) }
        return difference == 0
    }
}
