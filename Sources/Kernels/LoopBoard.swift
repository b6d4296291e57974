internal import CKernels
internal import Foundation
internal import Synchronization

/// Where a team's loop is posted. `state` holds, in one word, the loop's number, whether it is open, and how many
/// workers are in it: a worker enters only an open loop, and the caller leaves when all indices are taken, the loop is
/// closed and the last worker is out. So nobody waits for a worker that slept through a loop.
final class LoopBoard: Sendable {
    /// Rounds of `pause`, some 20 to 60 microseconds in all: longer than most gaps within a step.
    private static let spinRounds = 1000
    /// Then rounds of yielding, some 200 microseconds if nobody else wants the processor: as long as the longest item
    /// of a loop. A thread that sleeps is woken some 50 microseconds late on a virtual machine; a step has hundreds of
    /// loops.
    private static let yieldRounds = 500
    private static let open: UInt64 = 1 << 16
    private static let entered: UInt64 = open - 1
    private static let number: UInt64 = open << 1

    private let state = Atomic<UInt64>(0)
    private let next = Atomic<Int>(0)
    /// Whose own runs are taken.
    private let taken: ThreadBits
    /// Of all indices; negative as long as the caller finds it out.
    private let count = Atomic<Int>(0)
    private let busy = Atomic<Bool>(false)
    private let closed = Atomic<Bool>(false)
    private let prefetches = PrefetchBoard()
    private let workersBed = Bed()
    private let callersBed = Bed()
    // Written by the caller while no worker is in a loop, which `state` orders.
    /// Indices that are there from the beginning.
    private nonisolated(unsafe) var known = 0
    private nonisolated(unsafe) var body: (Range<Int>) -> Void = { _ in }
    /// A thread takes the indices that are left divided by this, or one.
    private nonisolated(unsafe) var divisor = 1
    /// The first indices: thread t begins with the t-th run of them, unless it comes too late.
    private nonisolated(unsafe) var ownRuns = (count: 0, size: 1)
    /// What the loop after the next one begins with.
    private nonisolated(unsafe) var expected: Prefetches?
    private nonisolated(unsafe) var progress = PrefetchBoard.Progress()
    private let threads: Int

    init(threads: Int) {
        self.threads = threads
        taken = ThreadBits(count: threads)
    }

    /// Says what the loop after the next one begins with.
    func expect(_ prefetches: Prefetches?) { expected = prefetches }

    /// A loop that the caller does alone: threads may fetch meanwhile what was expected after it.
    func skip() {
        guard let expected else { return }
        prefetches.post(expected)
        self.expected = nil
    }

    /// The caller's part.
    func run(count: Int, divisor: Int, _ body: @escaping (Range<Int>) -> Void) {
        run(known: count, count: count, divisor, body) {}
    }

    /// The same where the caller finds out how many indices there are in all before it helps.
    func run(known: Int, thenUpTo all: () -> Int, divisor: Int, _ body: @escaping (Range<Int>) -> Void) {
        run(known: known, count: -1, divisor, body) { count.store(all(), ordering: .releasing) }
    }

    private func run(
        known: Int, count: Int, _ divisor: Int, _ body: @escaping (Range<Int>) -> Void, meanwhile: () -> Void
    ) {
        precondition(!busy.exchange(true, ordering: .acquiring), "a team runs one loop at a time")
        self.known = known
        self.divisor = divisor
        self.body = body
        self.count.store(count, ordering: .relaxed)
        let size = max(1, known / divisor)
        ownRuns = (min(threads, known / size), size)
        taken.clear()
        next.store(ownRuns.count * size, ordering: .relaxed)
        let number = state.load(ordering: .relaxed) / Self.number
        state.store((number &+ 1) &* Self.number | Self.open, ordering: .sequentiallyConsistent)
        workersBed.wake()
        // Loops over single indices, as over the rows between two products, leave what was posted before.
        if expected != nil || divisor != .max { prefetches.post(expected) }
        expected = nil
        meanwhile()
        takeRuns(0)
        state.bitwiseAnd(~Self.open, ordering: .acquiringAndReleasing)
        wait(in: callersBed, 0, &progress) { state.load(ordering: .sequentiallyConsistent) & Self.entered == 0 }
        self.body = { _ in }
        busy.store(false, ordering: .releasing)
    }

    /// A worker's life.
    /// - Parameter thread: its number in the team; the caller's is 0.
    func serve(_ thread: Int) {
        var served: UInt64 = 0
        var progress = PrefetchBoard.Progress()
        while true {
            wait(in: workersBed, thread, &progress) {
                closed.load(ordering: .sequentiallyConsistent) || hasLoop(after: served)
            }
            if closed.load(ordering: .acquiring) { return }
            let seen = state.load(ordering: .relaxed)
            guard seen & Self.open != 0, seen / Self.number != served else { continue }
            let (entered, _) = state.compareExchange(
                expected: seen, desired: seen + 1, ordering: .acquiringAndReleasing)
            guard entered else { continue }
            takeRuns(thread)
            served = seen / Self.number
            let left = state.subtract(1, ordering: .sequentiallyConsistent).newValue
            if left & (Self.entered | Self.open) == 0 { callersBed.wake() }
        }
    }

    func close() {
        closed.store(true, ordering: .sequentiallyConsistent)
        workersBed.wake()
    }

    private func hasLoop(after served: UInt64) -> Bool {
        let state = state.load(ordering: .sequentiallyConsistent)
        return state & Self.open != 0 && state / Self.number != served
    }

    private func takeRuns(_ thread: Int) {
        let (known, divisor, ownRuns) = (known, divisor, ownRuns)
        let body = body
        if thread < ownRuns.count, taken.set(thread) { body(Self.ownRun(of: thread, size: ownRuns.size)) }
        while let run = takeRun(known, divisor) { body(run) }
        for late in 0..<ownRuns.count where taken.set(late) {
            body(Self.ownRun(of: late, size: ownRuns.size))
        }
    }

    private static func ownRun(of thread: Int, size: Int) -> Range<Int> { thread * size..<(thread + 1) * size }

    private func takeRun(_ known: Int, _ divisor: Int) -> Range<Int>? {
        var first = next.load(ordering: .relaxed)
        while true {
            let end = first < known ? known : countOfAll()
            guard first < end else { return nil }
            let run = first..<first + max(1, (end - first) / divisor)
            let (isOurs, now) = next.weakCompareExchange(
                expected: first, desired: run.upperBound, ordering: .relaxed)
            if isOurs { return run }
            first = now
        }
    }

    /// Waits for the caller to find it out, which is a matter of microseconds unless somebody else has its processor.
    private func countOfAll() -> Int {
        var rounds = 0
        while true {
            let count = count.load(ordering: .acquiring)
            if count >= 0 { return count }
            rounds += 1
            if rounds < Self.spinRounds { cohort_pause() } else { sched_yield() }
        }
    }

    private func wait(
        in bed: Bed, _ thread: Int, _ progress: inout PrefetchBoard.Progress, until condition: () -> Bool
    ) {
        for _ in 0..<Self.spinRounds {
            if condition() { return }
            if !prefetches.fetchSome(for: thread, &progress) { cohort_pause() }
        }
        for _ in 0..<Self.yieldRounds {
            if condition() { return }
            sched_yield()
        }
        bed.sleep(until: condition)
    }
}
