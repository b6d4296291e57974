internal import Foundation

/// A folder for temporary files, gone with its last reference, and also where SIGTERM or SIGINT end the program.
final class TemporaryFolder {
    let path: String
    private let signals: StopSignals

    /// - Parameter name: what its own name begins with.
    init(_ name: String) throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(name)-\(UUID().uuidString)").path
        self.path = path
        signals = StopSignals { number in
            Self.remove(path)
            // As a shell tells of a program that a signal has ended.
            _exit(128 + number)
        }
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw WorkError(
                "\(path): the folder cannot be made (\(error.localizedDescription)): name another one for temporary "
                    + "files by TMPDIR")
        }
    }

    deinit {
        Self.remove(path)
        signals.cancel()
    }

    /// Renamed first: whoever still writes makes no new file in it meanwhile.
    private static func remove(_ path: String) {
        let doomed = path + ".removed"
        try? FileManager.default.removeItem(atPath: rename(path, doomed) == 0 ? doomed : path)
    }
}
