internal import Bench
internal import Checkpoint
internal import Cluster
internal import Dispatcher
internal import Model
internal import Serving
internal import Tokenization
internal import Transport
internal import Wire
internal import Worker

/// An error that ends a command with one line on standard error and a documented exit status.
protocol Reportable: Error {
    var exitStatus: Int32 { get }
    var report: String { get }
}

extension Reportable where Self: CustomStringConvertible {
    var report: String { description.replacing("\n", with: " ") }
}

enum ExitStatus {
    static let failed = Int32(FailureReport.Status.failed)
    static let usage = Int32(FailureReport.Status.usage)
    static let badInput = Int32(FailureReport.Status.badInput)
    /// EX_UNAVAILABLE
    static let unreachable: Int32 = 69
}

/// Wrong usage that only shows once the files are open.
struct UsageError: Reportable, CustomStringConvertible {
    let description: String
    var exitStatus: Int32 { ExitStatus.usage }

    init(_ description: String) {
        self.description = description
    }
}

/// Work that could not be done, for a reason outside the program.
struct WorkError: Reportable, CustomStringConvertible {
    let description: String
    var exitStatus: Int32 { ExitStatus.failed }

    init(_ description: String) {
        self.description = description
    }
}

/// A file, given by a flag, that is missing or broken.
struct InputError: Reportable, CustomStringConvertible {
    let description: String
    var exitStatus: Int32 { ExitStatus.badInput }

    init(_ description: String) {
        self.description = description
    }
}

extension CheckpointError: Reportable {
    var exitStatus: Int32 { kind == .unwritable ? ExitStatus.failed : ExitStatus.badInput }
}

extension TokenizerError: Reportable {
    var exitStatus: Int32 { ExitStatus.badInput }
}

extension ClusterConfigError: Reportable {
    var exitStatus: Int32 { ExitStatus.badInput }
}

extension PlacementError: Reportable {
    var exitStatus: Int32 { ExitStatus.usage }
}

extension LoadFileError: Reportable {
    var exitStatus: Int32 { ExitStatus.badInput }
}

extension MeasuredRatesError: Reportable {
    var exitStatus: Int32 { ExitStatus.badInput }
}

extension PolicyError: Reportable {
    var exitStatus: Int32 { ExitStatus.failed }
}

extension RequestError: Reportable {
    var exitStatus: Int32 { ExitStatus.usage }
}

extension ClusterSecretError: Reportable {
    var exitStatus: Int32 { ExitStatus.badInput }
}

extension CacheError: Reportable {
    var exitStatus: Int32 { ExitStatus.failed }
}

extension HandshakeError: Reportable {
    var exitStatus: Int32 { ExitStatus.unreachable }
}

extension TransportError: Reportable {
    var exitStatus: Int32 { ExitStatus.unreachable }
}

extension AdmissionError: Reportable {
    var exitStatus: Int32 { ExitStatus.unreachable }
}

extension AnswersLost: Reportable {
    var exitStatus: Int32 { ExitStatus.unreachable }
}

extension ExpertsLost: Reportable {
    var exitStatus: Int32 { ExitStatus.unreachable }
}

extension WorkerError: Reportable {
    var exitStatus: Int32 {
        switch self {
        case .refused(_, let status): Int32(clamping: status)
        case .lostCoordinator, .silentCoordinator: ExitStatus.unreachable
        case .unexpected, .badAssignment: ExitStatus.failed
        case .noCheckpoint: ExitStatus.badInput
        }
    }
}

extension RoutingTraceError: Reportable {
    var exitStatus: Int32 { ExitStatus.badInput }
}

extension PingPongError: Reportable {
    var exitStatus: Int32 { ExitStatus.failed }
}
