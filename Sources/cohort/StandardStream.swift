internal import Foundation

/// Standard output for results and nothing else, standard error for everything else.
enum StandardStream {
    /// Writes all of `text` to standard output at once.
    /// - Throws: `WorkError` when the reader or the disk takes no more.
    static func output(_ text: String) throws {
        let failure = write(text, to: STDOUT_FILENO)
        guard failure == 0 else {
            throw WorkError(
                "standard output takes no more (\(String(cString: strerror(failure)))): is the disk full, or the "
                    + "reader gone?")
        }
    }

    /// Steers the terminal at standard output; one that is gone needs no steering.
    static func show(_ sequence: String) { _ = write(sequence, to: STDOUT_FILENO) }

    /// Writes to standard error; where nobody can read it, work goes on all the same.
    static func error(_ text: String) { _ = write(text, to: STDERR_FILENO) }

    /// Takes the place of streams that were closed when the program started, so that no file or connection gets their
    /// number: one that ends at once, and that nothing can be written to.
    static func occupy() {
        for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 { _ = open("/dev/null", O_RDONLY) }
    }

    /// - Returns: 0, or the number of the error.
    private static func write(_ text: String, to descriptor: Int32) -> Int32 {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return errno }
            rest = rest.dropFirst(count)
        }
        return 0
    }
}
