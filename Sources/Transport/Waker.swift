internal import CSockets
internal import Foundation
internal import Synchronization

/// An eventfd that ends the sleep of one thread. Many calls before it looks count as one.
final class Waker: Sendable {
    private let descriptor: Descriptor
    private let isSet = Atomic<Bool>(false)

    init() throws(TransportError) {
        let number = cohort_event()
        guard number >= 0 else { throw .system("eventfd", errno, place: "this process") }
        descriptor = Descriptor(owning: number)
    }

    /// What to poll for input; `reset` before each poll.
    var pollNumber: Int32 { descriptor.number }

    func wake() {
        guard !isSet.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var one: UInt64 = 1
        _ = write(descriptor.number, &one, MemoryLayout<UInt64>.size)
    }

    /// True when `wake` was called since the last reset. No system call while it was not.
    func reset() -> Bool {
        guard isSet.exchange(false, ordering: .acquiringAndReleasing) else { return false }
        drain()
        return true
    }

    /// Takes the descriptor's input away. After a poll that reported some this is needed even when `reset` says false:
    /// a waker sets the flag before it writes.
    func drain() {
        var count: UInt64 = 0
        _ = read(descriptor.number, &count, MemoryLayout<UInt64>.size)
    }
}
