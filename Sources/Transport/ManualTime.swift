internal import Synchronization
package import Wire

/// Time that stands still until it is moved, for simulations and tests.
package final class ManualTime: TimeSource {
    private let present: Mutex<Instant>

    package init(start: Instant = Instant(nanoseconds: 0)) {
        present = Mutex(start)
    }

    package func now() -> Instant { present.withLock { $0 } }

    /// Moves on to `instant`; an earlier one changes nothing.
    package func advance(to instant: Instant) {
        present.withLock { $0 = max($0, instant) }
    }

    package func advance(by duration: Duration) {
        present.withLock { $0 = $0 + duration }
    }
}
