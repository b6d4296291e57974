/// A request that an `EngineRunner` has taken, as its owner sees it. Whoever stops listening to the events gives it up.
package struct Generation: Sendable {
    package enum Event: Sendable {
        /// The next token, and when the step that brought it ended.
        case token(TokenStep, at: ContinuousClock.Instant)
        /// The last event.
        case finished(GenerationSequence.FinishReason)
    }

    /// At most one more than the request has tokens; ends by throwing a `RunnerError` when the request fails.
    package let events: AsyncThrowingStream<Event, any Error>
    /// When the runner took it.
    package let start: ContinuousClock.Instant
    private let giveUp: @Sendable () -> Void

    init(
        events: AsyncThrowingStream<Event, any Error>, start: ContinuousClock.Instant,
        giveUp: @escaping @Sendable () -> Void
    ) {
        self.events = events
        self.start = start
        self.giveUp = giveUp
    }

    /// Gives the request up: `events` ends soon. Does nothing once it has ended.
    package func cancel() { giveUp() }
}

/// Why a request that could be served was not.
package enum RunnerError: Error, Equatable, CustomStringConvertible {
    case queueFull(limit: Int)
    case waitedTooLong(Duration)
    case stopping
    case cancelled
    /// What the engine needs is not there.
    case unavailable(String)
    /// The request failed, and no other.
    case generation(GenerationError)
    /// The engine failed, with all that ran in it.
    case engine(String)

    package var description: String {
        switch self {
        case .queueFull(let limit): "\(limit) requests are waiting already: try again later"
        case .waitedTooLong(let limit): "the request has waited for \(limit) without finding room: try again later"
        case .stopping: "the server is shutting down: send the request to another one, or later"
        case .cancelled: "the request was cancelled"
        case .unavailable(let reason): "no request can be served now: \(reason)"
        case .generation(let error): error.description
        case .engine(let reason): "the engine failed: \(reason)"
        }
    }
}
