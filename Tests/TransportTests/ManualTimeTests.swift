import Testing
import Transport
import Wire

@Suite struct ManualTimeTests {
    @Test("Time moves forward only, up to never")
    func advance() {
        let time = ManualTime(start: Instant(nanoseconds: 5))
        time.advance(to: Instant(nanoseconds: 3))
        #expect(time.now() == Instant(nanoseconds: 5))
        time.advance(by: .nanoseconds(2))
        #expect(time.now() == Instant(nanoseconds: 7))
        time.advance(to: .never)
        #expect(time.now() == .never)
    }
}
