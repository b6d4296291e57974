/// What is wrong with a file of a checkpoint, where in it, and how to mend it.
package struct CheckpointError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Kind: String, Sendable {
        /// The operating system refuses to open, read or map the file.
        case unreadable
        /// The operating system refuses to write the file.
        case unwritable
        /// The bytes are not what the format prescribes.
        case malformed
        /// A file, field or tensor is not there.
        case missing
        /// A value has the wrong type, shape or size.
        case invalid
        /// Two values contradict each other.
        case inconsistent
        /// A valid value that this runtime does not implement.
        case unsupported
    }

    package let kind: Kind
    /// Path of the file.
    package let file: String
    /// The config field (dotted path) or the tensor, if one is to blame.
    package let item: String?
    package let problem: String
    package let remedy: String

    package init(_ kind: Kind, file: String, item: String? = nil, problem: String, remedy: String) {
        self.kind = kind
        self.file = file
        self.item = item
        self.problem = problem
        self.remedy = remedy
    }

    /// One line, whatever the file and tensor names contain.
    package var description: String {
        let place = [file, item].compactMap { $0 }.map(Self.printable).joined(separator: ": ")
        return "\(place): \(Self.printable(problem)); \(Self.printable(remedy))"
    }

    /// Longest part of a message: names come from files, which may hold anything.
    private static let longestPart = 400

    private static func printable(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars.prefix(longestPart) {
            if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
                result += "\\u{" + String(scalar.value, radix: 16) + "}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return text.unicodeScalars.count > longestPart ? result + "..." : result
    }
}
