internal import Foundation

/// What the engine's thread does when it does not compute: between two steps, and while there is nothing to do.
package protocol Interlude: AnyObject {
    /// After each step. Never waits.
    func betweenSteps()

    /// Waits until `wake` is called, at most until `deadline`; may return earlier.
    func rest(until deadline: ContinuousClock.Instant)

    /// Ends the present rest, or the next; for any thread.
    func wake()

    /// Why requests cannot be served now, for whoever asks for something; nil while they can.
    var obstacle: String? { get }
}

/// Sleeps: the interlude of an engine that has nothing else to look after.
package final class Nap: Interlude, Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    package init() {}

    package func betweenSteps() {}

    package func rest(until deadline: ContinuousClock.Instant) {
        _ = semaphore.wait(timeout: .now() + (deadline - .now) / .seconds(1))
        // Whoever woke it before this has left what is to be done where it is looked for next.
        while semaphore.wait(timeout: .now()) == .success {}
    }

    package func wake() { semaphore.signal() }

    package var obstacle: String? { nil }
}
