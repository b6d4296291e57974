internal import Foundation

/// A file that somebody named to a command, read whole: it may be a pipe, but not without end.
package enum NamedFile {
    /// - Parameters:
    ///   - what: what it should be, for messages.
    ///   - maximumByteSize: the most that such a file has.
    package static func bytes(
        of path: String, what: String, maximumByteSize: Int
    ) throws(NamedFileError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw NamedFileError(path, .unreadable(what, reason: errno)) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count <= maximumByteSize {
            let count = read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw NamedFileError(path, .unreadable(what, reason: errno)) }
            guard count > 0 else { return bytes }
            bytes += piece[..<count]
        }
        throw NamedFileError(path, .tooLarge(what, maximumByteSize: maximumByteSize))
    }
}
