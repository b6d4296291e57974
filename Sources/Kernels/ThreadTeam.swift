internal import Foundation
internal import Synchronization

/// Threads that share out loops. The caller of `forEach` is thread 0 and works too. A team that has as many threads as
/// the process has cores, or processors, pins all but the caller. One loop at a time: nested use, and use from two
/// threads at once, are bugs and stop the program.
package final class ThreadTeam: Sendable {
    /// Threads at work in a loop, the caller's included.
    package let threads: Int
    private let board: LoopBoard
    private let workers: [WorkerThread]
    /// Processors that the caller is kept on, and those of all threads; nil: nobody is pinned.
    private let callers: (own: [Int], all: [Int])?

    package init(threads: Int) {
        precondition(threads > 0, "a team has at least its caller")
        self.threads = threads
        let board = LoopBoard(threads: threads)
        self.board = board
        let places = threads > 1 ? Self.places(of: threads, on: Topology()) : nil
        callers = places.map { ($0[0], $0.flatMap { $0 }) }
        workers = (1..<max(threads, 1)).map { WorkerThread($0, board: board, processors: places?[$0]) }
    }

    /// Where to keep each of a team's threads: on a core of its own, or on a processor, if the team fills the machine.
    /// Pinned threads of two smaller teams would share one while another idles.
    /// - Returns: [threads] processors; nil: nowhere.
    package static func places(of threads: Int, on topology: Topology) -> [[Int]]? {
        switch threads {
        case topology.cores.count: topology.cores.map(\.processors)
        case topology.processors.count: topology.processors.map { [$0] }
        default: nil
        }
    }

    deinit {
        board.close()
        for worker in workers { worker.join() }
    }

    /// Keeps the caller of loops on the core that the team's other threads leave free while `body` runs: where the
    /// system lets it share one with them, every loop takes twice its time. What may start a thread in `body`, be it
    /// one of a system's pool, is to do so in `withFreeCaller`.
    package func withPinnedCaller<Result>(_ body: () throws -> Result) rethrows -> Result {
        guard let callers else { return try body() }
        Processors.keepCaller(on: callers.own)
        defer { Processors.keepCaller(on: callers.all) }
        return try body()
    }

    /// Lets the caller run wherever the team's process may while `body` runs, pinned or not: threads inherit where they
    /// may run from the one that starts them, and those that a pinned caller started would share its processor with it
    /// for ever.
    package func withFreeCaller<Result>(_ body: () throws -> Result) rethrows -> Result {
        guard let callers else { return try body() }
        let own = Processors.allowed()
        Processors.keepCaller(on: callers.all)
        defer { Processors.keepCaller(on: own) }
        return try body()
    }

    /// Calls `body` once for each of 0..<count, in no particular order, on all threads; returns when all are done.
    /// Indices are handed out one by one as threads become free.
    package func forEach(_ count: Int, _ body: (Int) -> Void) {
        loop(count, divisor: .max) { for index in $0 { body(index) } }
    }

    /// The same where neighbouring indices are better done together: calls `body` with runs that cover 0..<count, long
    /// ones first, single indices in the end. So threads begin seldom, and those of different speeds end at the same
    /// time: cores that share a way to the memory with fewer others read more than twice as fast. The first run of a
    /// thread is the same in every loop over as many indices.
    package func forEachRun(_ count: Int, _ body: (Range<Int>) -> Void) {
        loop(count, divisor: threads * Self.runsPerThread, body)
    }

    /// The same for a loop whose first indices alone are there at the beginning: the other threads begin with these
    /// while the caller finds out how many there are in all, which is to take no longer than they do.
    /// - Parameters:
    ///   - known: indices that are there; `body` may be called with them at once, and no run crosses their end.
    ///   - all: called once, on the caller; no less than `known`. Runs no loop of this team.
    package func forEachRun(_ known: Int, thenUpTo all: () -> Int, _ body: (Range<Int>) -> Void) {
        guard known > 0 else { return forEachRun(all(), body) }
        guard threads > 1 else {
            body(0..<known)
            let count = all()
            if known < count { body(known..<count) }
            return
        }
        withoutActuallyEscaping(body) {
            board.run(known: known, thenUpTo: all, divisor: threads * Self.runsPerThread, $0)
        }
    }

    /// Says what the loop after the next one begins with: threads that are done with the next one fetch it until that
    /// loop begins. An error in it costs time alone, also where the memory is gone by then.
    /// - Parameter prefetches: nil: nobody knows.
    package func expect(_ prefetches: Prefetches?) {
        if threads > 1 { board.expect(prefetches) }
    }

    /// Indices that each thread of `forEachRun` begins with.
    package func firstRun(of count: Int) -> Int { max(1, count / (threads * Self.runsPerThread)) }

    private func loop(_ count: Int, divisor: Int, _ body: (Range<Int>) -> Void) {
        guard count > 1, threads > 1 else {
            board.skip()
            if count > 0 { body(0..<count) }
            return
        }
        withoutActuallyEscaping(body) { board.run(count: count, divisor: divisor, $0) }
    }

    /// A run takes half of a thread's even part of what is left.
    private static let runsPerThread = 2
}
