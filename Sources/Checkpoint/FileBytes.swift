internal import Foundation

/// Whole small files, read with the limits and errors of this target.
enum FileBytes {
    /// Largest config.json; published ones have 2 kB.
    static let maximumConfigByteSize = 1 << 20
    /// Largest model.safetensors.index.json; R1's has 9 MB.
    static let maximumIndexByteSize = 256 << 20

    static func exists(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0
    }

    /// The bytes of a regular file of at most `maximumByteSize`.
    static func read(_ path: String, maximumByteSize: Int) throws(CheckpointError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw unreadable(path, errno) }
        defer { close(descriptor) }
        let byteSize = try regularFileSize(descriptor, path: path)
        guard byteSize <= maximumByteSize else {
            throw CheckpointError(
                .invalid, file: path, problem: "has \(byteSize) bytes, more than the limit of \(maximumByteSize)",
                remedy: "check that this is the published file")
        }
        var bytes = [UInt8](repeating: 0, count: byteSize)
        var filled = 0
        while filled < byteSize {
            let count = bytes.withUnsafeMutableBytes {
                Foundation.read(descriptor, $0.baseAddress! + filled, byteSize - filled)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw unreadable(path, count < 0 ? errno : EIO) }
            filled += count
        }
        return bytes
    }

    /// Size in bytes of an open file, which must be a regular one.
    static func regularFileSize(_ descriptor: Int32, path: String) throws(CheckpointError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable(path, errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw CheckpointError(
                .unreadable, file: path,
                problem: status.st_mode & S_IFMT == S_IFDIR ? "is a folder, not a file" : "is not a regular file",
                remedy: "name the folder that holds the published files")
        }
        return Int(status.st_size)
    }

    static func unreadable(_ path: String, _ code: Int32) -> CheckpointError {
        CheckpointError(
            code == ENOENT ? .missing : .unreadable, file: path,
            problem: code == ENOENT ? "no such file" : "cannot be read: \(String(cString: strerror(code)))",
            remedy: code == ENOENT
                ? "check the path and fetch what is missing of the model" : "check the file's permissions and its disk")
    }
}
