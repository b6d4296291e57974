internal import Wire

/// How a worker that was with a coordinator comes back to one: how long it rests between two attempts, and when it
/// gives up. It is told the time.
struct Reconnection {
    /// When dialling ends.
    private(set) var deadline: Instant
    /// Whether the worker has been with a coordinator before.
    private(set) var isReturning = false
    private var pause = Self.firstPause
    private let patience: Duration

    /// - Parameter patience: how long to go on, from now and from each loss.
    init(patience: Duration, now: Instant) {
        self.patience = patience
        deadline = now + patience
    }

    /// The coordinator was lost, or has left.
    /// - Parameter wasSteady: false where that came right after the worker had joined: if it happens again and again,
    ///   the time that the first loss was given is over some day, and the pauses grow.
    mutating func begin(at now: Instant, wasSteady: Bool) {
        defer { isReturning = true }
        guard wasSteady || !isReturning else { return }
        deadline = now + patience
        pause = Self.firstPause
    }

    /// How long to rest before the next attempt, longer each time; nil when it is too late for one.
    mutating func nextPause(at now: Instant) -> Duration? {
        guard now + pause < deadline else { return nil }
        defer { pause = min(pause * 2, Self.longestPause) }
        return pause
    }

    static let firstPause = Duration.milliseconds(50)
    private static let longestPause = Duration.seconds(1)
}
