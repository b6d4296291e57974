internal import CKernels
internal import Synchronization

/// Where the threads of a team find what the next loop begins with, and fetch it while they have nothing else to do:
/// the memory would idle as well. A thread that reads while this is posted anew may fetch something in vain; what it
/// computes does not depend on it.
package final class PrefetchBoard: Sendable {
    private struct Place: ~Copyable {
        let start = Atomic<UInt>(0)
        let stride = Atomic<Int>(0)
        let byteCount = Atomic<Int>(0)

        func post(_ prefetch: Prefetch?) {
            start.store(UInt(bitPattern: prefetch?.start), ordering: .relaxed)
            stride.store(prefetch?.stride ?? 0, ordering: .relaxed)
            byteCount.store(prefetch?.byteCount ?? 0, ordering: .relaxed)
        }

        /// Fetches a piece from `offset` on of what is a thread's.
        /// - Returns: whether there was any.
        func fetch(_ thread: Int, from offset: Int) -> Bool {
            let left = byteCount.load(ordering: .relaxed) - offset
            guard left > 0 else { return false }
            let at =
                start.load(ordering: .relaxed) &+ UInt(bitPattern: thread * stride.load(ordering: .relaxed) + offset)
            cohort_prefetch(at, min(left, PrefetchBoard.piece))
            return true
        }
    }

    /// How far a thread has come.
    package struct Progress {
        fileprivate var number = 0
        fileprivate var offsets = (first: 0, second: 0)

        package init() {}

        fileprivate init(number: Int) {
            self.number = number
        }
    }

    /// Counts what was posted.
    private let number = Atomic<Int>(0)
    private let first = Place()
    private let second = Place()

    package init() {}

    /// - Parameter prefetches: nil: nobody knows what comes.
    package func post(_ prefetches: Prefetches?) {
        first.post(prefetches?.first)
        second.post(prefetches?.second)
        number.add(1, ordering: .releasing)
    }

    /// Fetches a little of what is posted for a thread.
    /// - Returns: false if there is nothing left.
    package func fetchSome(for thread: Int, _ progress: inout Progress) -> Bool {
        let number = number.load(ordering: .acquiring)
        if number != progress.number { progress = Progress(number: number) }
        if first.fetch(thread, from: progress.offsets.first) {
            progress.offsets.first += Self.piece
            return true
        }
        guard second.fetch(thread, from: progress.offsets.second) else { return false }
        progress.offsets.second += Self.piece
        return true
    }

    /// Fetched before a thread looks again whether there is something to do.
    package static let piece = 1024
}
