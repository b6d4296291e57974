internal import Foundation
internal import Synchronization

/// A server's own admin key: made at its start, left in a file for the commands of the same user, gone at its end.
final class OwnAdminKey: Sendable {
    /// 256 bits, as text.
    let text = (0..<4).map { _ in String(UInt64.random(in: .min ... .max), radix: 16) }.joined(separator: "-")
    private let path = Mutex<String?>(nil)

    deinit { remove() }

    /// Leaves the key for the commands that talk to the server at this port.
    func leave(port: Int) throws {
        guard let folder = Self.folders.first(where: Self.make) else {
            throw WorkError(
                """
                no folder of this user alone for the admin key: \(Self.folders.joined(separator: " and ")) cannot be \
                made, or are open to others; remove what stands there, or give --admin-key-file
                """)
        }
        let path = Self.path(folder, port)
        let draft = "\(path).\(getpid())"
        unlink(draft)
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        let bytes = Array((text + "\n").utf8)
        let isWritten = descriptor >= 0 && write(descriptor, bytes, bytes.count) == bytes.count
        if descriptor >= 0 { close(descriptor) }
        guard isWritten, rename(draft, path) == 0 else {
            let reason = String(cString: strerror(errno))
            unlink(draft)
            throw WorkError(
                "\(path): the admin key cannot be written (\(reason)): free space, or give --admin-key-file")
        }
        self.path.withLock { $0 = path }
    }

    /// A key that another server has left there since stays.
    func remove() {
        path.withLock { path in
            if let known = path, (try? KeyFile.read(known)) == text { unlink(known) }
            path = nil
        }
    }

    /// The key that a server of this user has left for its port on this machine.
    static func find(port: Int) -> String? {
        (folders.filter(isOwn) + [serviceFolder]).lazy.compactMap { try? KeyFile.read(path($0, port)) }.first
    }

    /// Where keys may stand, the preferred place first.
    static var folders: [String] {
        let environment = ProcessInfo.processInfo.environment
        let service = environment["RUNTIME_DIRECTORY"]?.split(separator: ":").first.map(String.init)
        let session = environment["XDG_RUNTIME_DIR"].map { "\($0)/cohort" }
        return [service, session, "/tmp/cohort-\(geteuid())"].compactMap { $0 }.filter { $0.hasPrefix("/") }
    }

    /// What RUNTIME_DIRECTORY is to the unit of a server: readable for its user and for root, and only root makes
    /// anything in /run.
    private static let serviceFolder = "/run/cohort"

    private static func path(_ folder: String, _ port: Int) -> String { "\(folder)/\(port).admin-key" }

    private static func make(_ folder: String) -> Bool {
        mkdir(folder, 0o700)
        return isOwn(folder)
    }

    /// Whether this user and nobody else may look into the folder, which is no link to elsewhere.
    private static func isOwn(_ folder: String) -> Bool {
        var status = stat()
        guard lstat(folder, &status) == 0 else { return false }
        return status.st_mode & S_IFMT == S_IFDIR && status.st_uid == geteuid() && status.st_mode & 0o077 == 0
    }
}
