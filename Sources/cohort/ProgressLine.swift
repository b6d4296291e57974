internal import Foundation
internal import Synchronization

/// Progress of long work: one line that is written over on a terminal, nothing in a pipe.
final class ProgressLine: Sendable {
    private let label: String
    private let isShown: Bool
    private let lastPercent = Mutex(-1)

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
            write("\r\(label): \(percent) % of \(ByteCount(total))\u{1B}[K")
        }
    }

    func finish() {
        if isShown { write("\r\u{1B}[K") }
    }

    private func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }
}

/// A number of bytes as people read it.
struct ByteCount: CustomStringConvertible {
    let count: Int

    init(_ count: Int) {
        self.count = count
    }

    var description: String {
        let units = ["B", "kB", "MB", "GB", "TB"]
        var value = Double(count)
        var unit = 0
        while value >= 1000, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        return unit == 0 ? "\(count) B" : String(format: "%.*f %@", value < 10 ? 2 : 1, value, units[unit])
    }
}
