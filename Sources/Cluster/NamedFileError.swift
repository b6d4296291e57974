internal import Foundation

/// Why a file that somebody named to a command was not read.
package struct NamedFileError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Problem: Hashable, Sendable {
        /// `reason`: an errno.
        case unreadable(String, reason: Int32)
        case tooLarge(String, maximumByteSize: Int)
    }

    package let path: String
    package let problem: Problem

    init(_ path: String, _ problem: Problem) {
        self.path = path
        self.problem = problem
    }

    package var description: String {
        switch problem {
        case .unreadable(let what, let reason):
            "\(path): the \(what) cannot be read (\(String(cString: strerror(reason)))): check the path, and that this "
                + "user may read it"
        case .tooLarge(let what, let maximum):
            "\(path): more than the \(Amount.grouped(maximum)) bytes that a \(what) may have: name another file"
        }
    }
}
