import Serving
import Testing

@Suite struct NapTests {
    private func elapsed(_ body: () -> Void) -> Duration { ContinuousClock().measure(body) }

    @Test("any number of wakes end one rest, and no other")
    func wakesDoNotPileUp() {
        let nap = Nap()
        for _ in 0..<100 { nap.wake() }
        #expect(elapsed { nap.rest(until: .now + .seconds(5)) } < .seconds(4))
        #expect(elapsed { nap.rest(until: .now + .milliseconds(50)) } > .milliseconds(45))
    }

    @Test("a wake ends the rest that is under way, and a deadline that has passed is not waited for")
    func ends() async {
        let nap = Nap()
        let waker = Task.detached {
            try await Task.sleep(for: .milliseconds(20))
            nap.wake()
        }
        #expect(elapsed { nap.rest(until: .now + .seconds(20)) } < .seconds(15))
        #expect(elapsed { nap.rest(until: .now - .seconds(20)) } < .seconds(5))
        _ = await waker.result
    }
}
