internal import Synchronization

/// Ends the connection of a client that does not read what it asked for.
package final class StallWatch: Sendable {
    private let limit: Duration
    private let writingSince = Mutex<ContinuousClock.Instant?>(nil)

    /// - Parameter limit: the longest that one write may take.
    package init(limit: Duration) {
        self.limit = limit
    }

    /// Does `operation`, whose writes go through `write`, and calls `close` when one of them takes longer than
    /// the limit.
    package func run(close: @escaping @Sendable () -> Void, _ operation: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: self.limit / 8)
                    guard self.isStalled else { continue }
                    return close()
                }
            }
            defer { group.cancelAll() }
            try await operation()
        }
    }

    /// Does one write, inside `run`.
    package func write(_ body: () async throws -> Void) async throws {
        writingSince.withLock { $0 = .now }
        defer { writingSince.withLock { $0 = nil } }
        try await body()
    }

    private var isStalled: Bool {
        writingSince.withLock { since in since.map { .now - $0 > limit } ?? false }
    }
}
