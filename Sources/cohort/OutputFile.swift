internal import Foundation

/// A file that a flag names for results. It is opened before the work, so that a path that cannot be written is known
/// at once, and written over when the results are there; it may be a device, a pipe or a link, and is never replaced.
final class OutputFile {
    private let path: String
    private let flag: String
    private let descriptor: Int32
    private let isNew: Bool
    private var hasContent = false
    private var isOpen = true

    /// - Parameter flag: for messages.
    /// - Throws: `UsageError`.
    init(_ path: String, flag: String) throws {
        self.path = path
        self.flag = flag
        let made = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        isNew = made >= 0
        descriptor = isNew ? made : open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw UsageError(
                "\(flag): cannot write \(path) (\(String(cString: strerror(errno)))): choose a file in a folder that "
                    + "exists and is writable")
        }
    }

    /// One that this program made and found nothing to write into goes again.
    deinit {
        if isOpen && descriptor >= 0 { Foundation.close(descriptor) }
        if isNew && !hasContent { unlink(path) }
    }

    /// - Throws: `WorkError`; so does `close`.
    func write(_ bytes: some ContiguousBytes) throws {
        // What has no length, such as a pipe, has nothing to be cut off.
        if !hasContent { ftruncate(descriptor, 0) }
        hasContent = true
        try bytes.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let count = Foundation.write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw failure }
                done += count
            }
        }
    }

    /// The end of the writing: some file systems tell only now that they have no room.
    func close() throws {
        isOpen = false
        guard Foundation.close(descriptor) == 0 else { throw failure }
    }

    private var failure: WorkError {
        WorkError("\(flag): writing \(path) failed (\(String(cString: strerror(errno)))): is the disk full?")
    }
}
