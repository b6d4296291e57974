/// A point of monotonic time, in nanoseconds since an origin that only its clock knows. State machines and waits take
/// it as an argument; none reads a clock itself.
package struct Instant: Sendable, Hashable, Comparable {
    package let nanoseconds: UInt64

    package init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    /// Later than every other: a wait until then has no deadline.
    package static let never = Instant(nanoseconds: .max)

    package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Saturates at `never`; a negative duration counts as zero.
    package static func + (instant: Instant, duration: Duration) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.wholeNanoseconds)
        return overflow ? .never : Instant(nanoseconds: sum)
    }

    /// The time since the clock's origin, for state machines that count in durations.
    package var sinceOrigin: Duration { .nanoseconds(Int64(clamping: nanoseconds)) }

    /// Nanoseconds from `earlier` to this instant; zero when it is not earlier.
    package func nanoseconds(since earlier: Instant) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0
    }
}

extension Duration {
    /// Saturates at the largest count; a negative duration counts as zero.
    package var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carried) = product.addingReportingOverflow(UInt64(attoseconds) / 1_000_000_000)
        return overflow || carried ? .max : sum
    }
}
