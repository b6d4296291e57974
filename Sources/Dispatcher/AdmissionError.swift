internal import Wire

/// The cluster is not complete in time.
package struct AdmissionError: Error, CustomStringConvertible {
    package struct Missing: Sendable {
        package let name: String
        package let state: String
    }

    package let missing: [Missing]

    package var description: String {
        let workers = missing.map { "\($0.name) (\($0.state))" }.joined(separator: ", ")
        return "the cluster is not complete in time; not ready: \(workers); start these workers, or allow more time"
    }
}

/// Why a worker that knows the secret is sent away all the same.
enum Refusal: CustomStringConvertible {
    case unknownName(String, known: [String])
    case nameTaken(String)
    case otherCheckpoint(path: String)
    case tooLittleMemory(needed: Int, available: Int)

    /// The exit status for the worker's process.
    var status: Int {
        switch self {
        case .unknownName, .nameTaken: FailureReport.Status.usage
        case .otherCheckpoint: FailureReport.Status.badInput
        case .tooLittleMemory: FailureReport.Status.failed
        }
    }

    var description: String {
        switch self {
        case .unknownName(let name, let known):
            "no worker is named \(name) in this cluster: name it as the cluster file does "
                + "(\(known.prefix(8).joined(separator: ", "))\(known.count > 8 ? ", ..." : ""))"
        case .nameTaken(let name):
            "a worker named \(name) is connected already: give each worker its own --name"
        case .otherCheckpoint(let path):
            "the checkpoint at \(path) is not the coordinator's: copy the same files to every host"
        case .tooLittleMemory(let needed, let available):
            "its experts take \(needed) bytes and it offers \(available), \(needed - available) too few: raise "
                + "--memory or add workers"
        }
    }
}
