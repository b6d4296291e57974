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
    /// Of all indices; negative as long as the caller finds it out.
    private let count = Atomic<Int>(0)
    private let busy = Atomic<Bool>(false)
    private let closed = Atomic<Bool>(false)
    private let workersBed = Bed()
    private let callersBed = Bed()
    // Written by the caller while no worker is in a loop, which `state` orders.
    /// Indices that are there from the beginning.
    private nonisolated(unsafe) var known = 0
    private nonisolated(unsafe) var body: (Range<Int>) -> Void = { _ in }
    /// A thread takes the indices that are left divided by this, or one.
    private nonisolated(unsafe) var divisor = 1

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
        next.store(0, ordering: .relaxed)
        let number = state.load(ordering: .relaxed) / Self.number
        state.store((number &+ 1) &* Self.number | Self.open, ordering: .sequentiallyConsistent)
        workersBed.wake()
        meanwhile()
        takeRuns()
        state.bitwiseAnd(~Self.open, ordering: .acquiringAndReleasing)
        wait(in: callersBed) { state.load(ordering: .sequentiallyConsistent) & Self.entered == 0 }
        self.body = { _ in }
        busy.store(false, ordering: .releasing)
    }

    /// A worker's life.
    func serve() {
        var served: UInt64 = 0
        while true {
            wait(in: workersBed) { closed.load(ordering: .sequentiallyConsistent) || hasLoop(after: served) }
            if closed.load(ordering: .acquiring) { return }
            let seen = state.load(ordering: .relaxed)
            guard seen & Self.open != 0, seen / Self.number != served else { continue }
            let (entered, _) = state.compareExchange(
                expected: seen, desired: seen + 1, ordering: .acquiringAndReleasing)
            guard entered else { continue }
            takeRuns()
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

    private func takeRuns() {
        let (known, divisor) = (known, divisor)
        let body = body
        while let run = takeRun(known, divisor) { body(run) }
    }

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

    private func wait(in bed: Bed, until condition: () -> Bool) {
        for _ in 0..<Self.spinRounds {
            if condition() { return }
            cohort_pause()
        }
        for _ in 0..<Self.yieldRounds {
            if condition() { return }
            sched_yield()
        }
        bed.sleep(until: condition)
    }
}
