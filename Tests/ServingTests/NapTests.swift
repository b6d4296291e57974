import Foundation
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
    func ends() {
        let nap = Nap()
        // A task might wait for a thread as long as other tests keep all of them.
        Thread.detachNewThread {
            Thread.sleep(forTimeInterval: 0.02)
            nap.wake()
        }
        #expect(elapsed { nap.rest(until: .now + .seconds(20)) } < .seconds(15))
        #expect(elapsed { nap.rest(until: .now - .seconds(20)) } < .seconds(5))
    }
}
