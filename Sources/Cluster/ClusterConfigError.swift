/// What is wrong in a cluster file, where, and how to mend it.
package struct ClusterConfigError: Error, Hashable, Sendable {
    package enum Problem: Hashable, Sendable {
        case unreadable(reason: String)
        case tooLarge(byteSize: Int, maximum: Int)
        case empty
        case syntax(reason: String)
        case alias
        case duplicateKey(String)
        /// `nearest`: the known key that it most resembles, if any does.
        case unknownKey(String, section: String, nearest: String?, known: [String])
        case missingKey(String, section: String, example: String)
        case wrongType(key: String, found: String, expected: String)
        case invalidValue(key: String, value: String, expected: String)
        case duplicateWorker(name: String, firstLine: Int)
        case tooManyWorkers(maximum: Int)
        case placement(PlacementError)
    }

    package let file: String
    /// Counted from 1; nil where the file as a whole is wrong.
    package let line: Int?
    package let column: Int?
    package let problem: Problem
}

extension ClusterConfigError: CustomStringConvertible {
    package var description: String { "\(position): \(what)" }

    private var position: String {
        guard let line, let column else { return file }
        return "\(file):\(line):\(column)"
    }

    private var what: String {
        switch problem {
        case .unreadable(let reason):
            "cannot be read (\(reason)): name a cluster file that this user may read"
        case .tooLarge(let byteSize, let maximum):
            "has \(byteSize) bytes, more than the \(maximum) a cluster file may have: is it a cluster file?"
        case .empty:
            "is empty: describe coordinator, secret file and workers, as in cluster-configs/one-machine.yaml"
        case .syntax(let reason):
            "is not YAML (\(reason)): mend the line"
        case .alias:
            "YAML aliases (*name) are not taken: write the value out, or put it in double quotes"
        case .duplicateKey(let key):
            "key '\(key)' stands twice: keep one"
        case .unknownKey(let key, let section, let nearest, let known):
            "unknown key '\(key)' in \(section): " + Self.suggestion(nearest: nearest, known: known)
        case .missingKey(let key, let section, let example):
            "\(section) lacks '\(key)': add a line such as '\(key): \(example)'"
        case .wrongType(let key, let found, let expected):
            "'\(key)' is \(found): give \(expected)"
        case .invalidValue(let key, let value, let expected):
            "'\(key)' is '\(value)': give \(expected)"
        case .duplicateWorker(let name, let firstLine):
            "worker '\(name)' stands already in line \(firstLine): give each worker a name of its own"
        case .tooManyWorkers(let maximum):
            "more than \(maximum) workers: shorten the list"
        case .placement(let error):
            error.description
        }
    }

    private static func suggestion(nearest: String?, known: [String]) -> String {
        if let nearest { return "did you mean '\(nearest)'?" }
        return "known are " + known.joined(separator: ", ")
    }
}
