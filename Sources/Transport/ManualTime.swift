internal import Synchronization
package import Wire

/// Time that stands still until it is moved, for simulations and tests.
package final class ManualTime: TimeSource {
    private let nanoseconds: Atomic<UInt64>

    package init(start: Instant = Instant(nanoseconds: 0)) {
        nanoseconds = Atomic(start.nanoseconds)
    }

    package func now() -> Instant {
        Instant(nanoseconds: nanoseconds.load(ordering: .acquiring))
    }

    /// Moves on to `instant`; an earlier one changes nothing.
    package func advance(to instant: Instant) {
        nanoseconds.max(instant.nanoseconds, ordering: .acquiringAndReleasing)
    }

    package func advance(by duration: Duration) {
        advance(to: now() + duration)
    }
}
