internal import Cluster
internal import Foundation
internal import Synchronization

/// Progress of long work: one line that is written over on a terminal, nothing in a pipe.
final class ProgressLine: Sendable {
    private let label: String
    private let isShown: Bool
    private let lastPercent = Mutex(-1)

    /// A line for as long as `body` runs.
    static func shown<Result>(_ label: String, during body: (ProgressLine) throws -> Result) rethrows -> Result {
        let line = ProgressLine(label: label)
        defer { line.finish() }
        return try body(line)
    }

    init(label: String) {
        self.label = label
        isShown = isatty(STDERR_FILENO) == 1
    }

    func show(bytes: Int, of total: Int) {
        guard isShown, total > 0 else { return }
        let percent = Int(Double(bytes) / Double(total) * 100)
        lastPercent.withLock { last in
            guard percent != last else { return }
            last = percent
            write("\r\(label): \(percent) % of \(Amount.bytes(total))\u{1B}[K")
        }
    }

    /// What is being done.
    func show(_ stage: String) {
        if isShown { write("\r\(label): \(stage)\u{1B}[K") }
    }

    func finish() {
        if isShown { write("\r\u{1B}[K") }
    }

    private func write(_ text: String) {
        StandardStream.error(text)
    }
}
