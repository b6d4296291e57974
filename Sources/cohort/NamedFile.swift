internal import Cluster
internal import Foundation

/// A file that a flag names, read whole: it may be a pipe, but not without end.
enum NamedFile {
    /// - Parameters:
    ///   - what: what it should be, for messages.
    ///   - maximumByteSize: the most that such a file has.
    static func bytes(of path: String, what: String, maximumByteSize: Int) throws(InputError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(path, what) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count <= maximumByteSize {
            let count = read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreadable(path, what) }
            guard count > 0 else { return bytes }
            bytes += piece[..<count]
        }
        throw InputError(
            "\(path): more than the \(Amount.grouped(maximumByteSize)) bytes that a \(what) may have: name another file"
        )
    }

    private static func unreadable(_ path: String, _ what: String) -> InputError {
        InputError(
            "\(path): the \(what) cannot be read (\(String(cString: strerror(errno)))): check the path, and that this "
                + "user may read it")
    }
}
