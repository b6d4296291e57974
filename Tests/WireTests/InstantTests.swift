import Testing
import Wire

@Suite struct InstantTests {
    @Test("Adding saturates at never, and negative durations count as zero")
    func addition() {
        #expect(Instant(nanoseconds: 5) + .nanoseconds(7) == Instant(nanoseconds: 12))
        #expect(Instant(nanoseconds: 5) + .seconds(Int64.max) == .never)
        #expect(Instant.never + .seconds(1) == .never)
        #expect(Instant(nanoseconds: 5) + .seconds(-1) == Instant(nanoseconds: 5))
    }

    @Test("The time since a later instant is zero")
    func difference() {
        #expect(Instant(nanoseconds: 9).nanoseconds(since: Instant(nanoseconds: 4)) == 5)
        #expect(Instant(nanoseconds: 4).nanoseconds(since: Instant(nanoseconds: 9)) == 0)
    }
}
