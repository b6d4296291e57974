import Foundation
import Logging
import Synchronization

/// Keeps what is logged.
struct LineLog: LogHandler {
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    private let lines = Lines()
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        lines.all.withLock { $0.append(([event.message.description] + fields).joined(separator: " ")) }
    }

    /// The first line, once it is there; nil when none comes in time.
    func first(within seconds: Double) -> String? {
        let deadline = Date() + seconds
        while text.isEmpty, Date() < deadline { usleep(1000) }
        return text.first
    }

    /// What has been logged so far.
    var text: [String] { lines.all.withLock { $0 } }
}
