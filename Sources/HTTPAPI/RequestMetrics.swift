internal import Synchronization

/// Counts what requests bring and how long their tokens take. For any thread.
final class RequestMetrics: Sendable {
    /// How a request for a completion ended.
    enum Outcome: String, CaseIterable {
        case stop
        case length
        /// The client went away.
        case cancelled
        /// Not taken: its own fault, or no room.
        case refused
        /// Taken, but not finished.
        case failed
    }

    struct Values: Sendable {
        fileprivate(set) var requests: [Outcome: Int] = [:]
        fileprivate(set) var promptTokens = 0
        fileprivate(set) var generatedTokens = 0
        /// From the request's arrival to its first token.
        fileprivate(set) var firstToken = Histogram(bounds: [
            0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250,
        ])
        /// From one token of a request to the next.
        fileprivate(set) var nextToken = Histogram(bounds: [
            0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
        ])
    }

    private let state = Mutex(Values())

    var values: Values { state.withLock { $0 } }

    func noteStart(promptTokens: Int) {
        state.withLock { $0.promptTokens += promptTokens }
    }

    /// - Parameter last: when the token before it came; nil for the first, which counts from `start`.
    func noteToken(
        at instant: ContinuousClock.Instant, after last: ContinuousClock.Instant?, start: ContinuousClock.Instant
    ) {
        state.withLock { values in
            values.generatedTokens += 1
            if let last {
                values.nextToken.add(instant - last)
            } else {
                values.firstToken.add(instant - start)
            }
        }
    }

    func noteEnd(_ outcome: Outcome) {
        state.withLock { $0.requests[outcome, default: 0] += 1 }
    }
}
