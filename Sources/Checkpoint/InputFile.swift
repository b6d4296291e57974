internal import Foundation

/// A regular file, open for reading.
final class InputFile: Sendable {
    let path: String
    let byteSize: Int
    private let descriptor: Int32

    /// - Parameter readsAhead: whether the system may read more than is asked for.
    init(path: String, readsAhead: Bool) throws(CheckpointError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.unreadable(path, errno) }
        do {
            byteSize = try Self.regularFileSize(descriptor, path)
        } catch {
            close(descriptor)
            throw error
        }
        if !readsAhead { posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM) }
    }

    deinit {
        close(descriptor)
    }

    /// The bytes of a whole file of at most `maximumByteSize`.
    static func bytes(of path: String, maximumByteSize: Int) throws(CheckpointError) -> [UInt8] {
        let file = try InputFile(path: path, readsAhead: true)
        guard file.byteSize <= maximumByteSize else {
            throw CheckpointError(
                .invalid, file: path, problem: "has \(file.byteSize) bytes, more than the limit of \(maximumByteSize)",
                remedy: "check that this is the published file")
        }
        return try file.read(0..<file.byteSize)
    }

    /// The bytes at these positions, which must lie inside the file.
    func read(_ range: Range<Int>) throws(CheckpointError) -> [UInt8] {
        precondition(range.upperBound <= byteSize, "a read beyond the end of the file")
        var bytes = [UInt8](repeating: 0, count: range.count)
        var done = 0
        while done < range.count {
            let count = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress.map { $0 + done }, range.count - done, range.lowerBound + done)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw Self.unreadable(path, count < 0 ? errno : EIO) }
            done += count
        }
        return bytes
    }

    /// The whole file in memory, for reading; the caller unmaps it. Only what is touched or asked for is read. Linux
    /// maps large files such that huge pages of the file fit.
    func map() throws(CheckpointError) -> UnsafeRawPointer {
        guard let base = mmap(nil, byteSize, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
            throw Self.unreadable(path, errno)
        }
        madvise(base, byteSize, MADV_RANDOM)
        return UnsafeRawPointer(base)
    }

    static func exists(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0
    }

    private static func regularFileSize(_ descriptor: Int32, _ path: String) throws(CheckpointError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable(path, errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw CheckpointError(
                .unreadable, file: path,
                problem: status.st_mode & S_IFMT == S_IFDIR ? "is a folder, not a file" : "is not a regular file",
                remedy: "put the published file there")
        }
        return Int(status.st_size)
    }

    private static func unreadable(_ path: String, _ code: Int32) -> CheckpointError {
        CheckpointError(
            code == ENOENT ? .missing : .unreadable, file: path,
            problem: code == ENOENT ? "no such file" : "cannot be read: \(String(cString: strerror(code)))",
            remedy: code == ENOENT
                ? "check the path and fetch what is missing of the model" : "check the file's permissions and its disk")
    }
}
