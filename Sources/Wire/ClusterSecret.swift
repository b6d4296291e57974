internal import Crypto
internal import Foundation

/// What every process of a cluster knows and nobody else does. Never printed.
package struct ClusterSecret: Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// Fewer bytes could be guessed from one recorded handshake.
    package static let minimumByteCount = 16
    private static let maximumByteCount = 4096
    private static let randomByteCount = 32

    private let bytes: [UInt8]

    package init(bytes: [UInt8]) throws(ClusterSecretError) {
        try self.init(bytes: bytes, source: "the cluster secret")
    }

    private init(bytes: [UInt8], source: String) throws(ClusterSecretError) {
        guard bytes.count >= Self.minimumByteCount else {
            throw ClusterSecretError(
                source: source, what: "the secret has \(bytes.count) bytes, and \(Self.minimumByteCount) is the least",
                mend: "make one with: head -c 32 /dev/urandom | base64")
        }
        guard bytes.count <= Self.maximumByteCount else {
            throw ClusterSecretError(
                source: source, what: "the secret has more than \(Self.maximumByteCount) bytes",
                mend: "name a file that holds one line, the secret")
        }
        self.bytes = bytes
    }

    package static func random() -> ClusterSecret {
        ClusterSecret(unchecked: SecureBytes.random(count: randomByteCount))
    }

    private init(unchecked bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Reads a file whose content, without the newline at its end, is the secret. A file that all users of the host
    /// may read is refused.
    package init(file: String) throws(ClusterSecretError) {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ClusterSecretError(
                source: file, what: String(cString: strerror(errno)),
                mend: "name a file that this user may read and that holds the secret")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else {
            throw ClusterSecretError(
                source: file, what: "it is no file", mend: "name a file that holds one line, the secret")
        }
        guard status.st_mode & S_IROTH == 0 || status.st_mode & S_IFMT != S_IFREG else {
            throw ClusterSecretError(
                source: file, what: "all users of this host may read it", mend: "run: chmod 600 \(file)")
        }
        var content = try Self.readBounded(descriptor, file: file)
        while let last = content.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") { content.removeLast() }
        try self.init(bytes: content, source: file)
    }

    private static func readBounded(_ descriptor: Int32, file: String) throws(ClusterSecretError) -> [UInt8] {
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1024)
        while content.count <= maximumByteCount + 2 {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw ClusterSecretError(
                    source: file, what: String(cString: strerror(errno)), mend: "name a file that can be read")
            }
            if count == 0 { break }
            content += chunk[..<count]
        }
        return content
    }

    /// HMAC-SHA256 of `message`: 32 bytes.
    func authenticationCode(for message: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: bytes)))
    }

    /// Compares in a time that does not depend on where `code` is wrong.
    func isValid(_ code: [UInt8], for message: [UInt8]) -> Bool {
        HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: message, using: SymmetricKey(data: bytes))
    }

    package var description: String { "ClusterSecret(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
