internal import Foundation

/// A new file, written at any position from any thread.
final class OutputFile: Sendable {
    private let path: String
    private let descriptor: Int32

    init(path: String) throws(CheckpointError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        if descriptor < 0 { throw unwritable(errno) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(CheckpointError) {
        var done = 0
        while done < bytes.count, let base = bytes.baseAddress {
            let count = pwrite(descriptor, base + done, bytes.count - done, off_t(offset + done))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw unwritable(count < 0 ? errno : ENOSPC) }
            done += count
        }
    }

    /// Returns when the disk has the bytes.
    func synchronize() throws(CheckpointError) {
        guard fsync(descriptor) == 0 else { throw unwritable(errno) }
    }

    func unwritable(_ code: Int32) -> CheckpointError {
        CheckpointError(
            .unwritable, file: path, problem: "cannot be written: \(String(cString: strerror(code)))",
            remedy: code == ENOSPC || code == EDQUOT
                ? "free space on the disk or name a folder on another one"
                : "check the folder's permissions and its disk")
    }
}
