/// Lets text through up to the first of some stop strings, and never a part of one: an end that could be the
/// beginning of a stop string is held back until more text decides.
package struct StopMatcher {
    private let stops: [[UInt8]]
    /// What is held back.
    private var pending: [UInt8] = []
    /// Whether a stop string was met.
    package private(set) var isStopped = false

    package init(_ stops: [String]) {
        self.stops = stops.map { Array($0.utf8) }.filter { !$0.isEmpty }
    }

    /// - Returns: the text that can no longer belong to a stop string.
    package mutating func append(_ text: String) -> String {
        guard !isStopped else { return "" }
        pending += text.utf8
        if let stop = firstStop() {
            isStopped = true
            pending.removeSubrange(stop...)
            return release(pending.count)
        }
        return release(pending.count - heldCount())
    }

    /// The end of the text.
    /// - Returns: what was held back.
    package mutating func finish() -> String { release(pending.count) }

    private mutating func release(_ count: Int) -> String {
        let text = String(decoding: pending[..<count], as: UTF8.self)
        pending.removeSubrange(..<count)
        return text
    }

    /// Where the earliest stop string begins.
    private func firstStop() -> Int? {
        pending.indices.first { start in stops.contains { pending[start...].starts(with: $0) } }
    }

    /// Bytes at the end that begin a stop string.
    private func heldCount() -> Int {
        let start = pending.indices.first { start in stops.contains { $0.starts(with: pending[start...]) } }
        return start.map { pending.count - $0 } ?? 0
    }
}
