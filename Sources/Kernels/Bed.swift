internal import Foundation
internal import Synchronization

/// Where threads sleep until a condition holds. Waking costs one load when nobody sleeps. The condition, and what makes
/// it true, must be sequentially consistent.
final class Bed: Sendable {
    private let sleepers = Atomic<Int>(0)
    private let signal = NSCondition()

    func sleep(until condition: () -> Bool) {
        signal.withLock {
            sleepers.add(1, ordering: .sequentiallyConsistent)
            while !condition() { signal.wait() }
            sleepers.subtract(1, ordering: .sequentiallyConsistent)
        }
    }

    func wake() {
        guard sleepers.load(ordering: .sequentiallyConsistent) > 0 else { return }
        signal.withLock { signal.broadcast() }
    }
}
