import Foundation
import Kernels
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct ThreadTeamTests {
    @Test("every index is taken once, loop after loop", arguments: [1, 2, 3, 4, 9])
    func takesEveryIndexOnce(threads: Int) {
        let team = ThreadTeam(threads: threads)
        #expect(team.threads == threads)
        let most = 70
        let taken = UnsafeMutableBufferPointer<Int>.allocate(capacity: most)
        taken.initialize(repeating: 0)
        defer { taken.deallocate() }
        nonisolated(unsafe) let slots = taken
        var expected = [Int](repeating: 0, count: most)
        for loop in 0..<20_000 {
            let count = loop % (most + 1)
            team.forEach(count) { slots[$0] += 1 }
            for index in 0..<count { expected[index] += 1 }
        }
        #expect(Array(taken) == expected)
    }

    @Test("a loop begins before the caller knows its length, and takes every index once", arguments: [1, 2, 4])
    func growsWhileItRuns(threads: Int) {
        let team = ThreadTeam(threads: threads)
        let memory = UnsafeMutableBufferPointer<Int>.allocate(capacity: 64)
        memory.initialize(repeating: 0)
        defer { memory.deallocate() }
        nonisolated(unsafe) let values = memory
        for loop in 0..<5_000 {
            let (known, all) = (loop % 9, loop % 9 + loop % 50)
            let start = Mutex(0)
            team.forEachRun(
                known,
                thenUpTo: {
                    start.withLock { $0 = loop }; return all
                }
            ) { run in
                let isKnown = run.upperBound <= known
                for index in run where isKnown || run.lowerBound >= known {
                    values[index] += isKnown ? 1 : start.withLock { $0 } - loop + 1
                }
            }
            #expect((0..<64).allSatisfy { values[$0] == ($0 < all ? 1 : 0) })
            for index in 0..<64 { values[index] = 0 }
        }
    }

    @Test("runs cover every index once, long ones first", arguments: [1, 2, 3, 4, 9, 130])
    func takesRuns(threads: Int) {
        let team = ThreadTeam(threads: threads)
        for count in 0..<300 {
            let runs = Mutex<[Range<Int>]>([])
            team.forEachRun(count) { run in runs.withLock { $0.append(run) } }
            let taken = runs.withLock { $0.sorted { $0.lowerBound < $1.lowerBound } }
            #expect(taken.flatMap(Array.init) == Array(0..<count))
            #expect(zip(taken, taken.dropFirst()).allSatisfy { $0.count >= $1.count })
            guard threads > 1, count > 1 else { continue }
            #expect(taken.last?.count == 1 && taken.allSatisfy { $0.count <= max(1, count / threads / 2) })
        }
    }

    @Test("a thread begins every loop with the same run", arguments: [2, 3, 4])
    func beginsWithItsOwnRun(threads: Int) {
        let team = ThreadTeam(threads: threads)
        let count = threads * 12
        let ownEnd = threads * team.firstRun(of: count)
        // Of each thread: where its first runs began, among those that threads have for their own. A thread that comes
        // when all others are taken may begin with another's; as long as half of them are left it does not.
        let begins = Mutex<[UInt: Set<Int>]>([:])
        for _ in 0..<300 {
            let seen = Mutex((threads: Set<UInt>(), others: 0))
            team.forEachRun(count) { run in
                let (thread, isOwn) = (UInt(pthread_self()), run.lowerBound < ownEnd)
                let counts = seen.withLock { seen in
                    if !isOwn { seen.others += run.count }
                    return seen.threads.insert(thread).inserted && seen.others <= (count - ownEnd) / 2
                }
                if counts, isOwn { _ = begins.withLock { $0[thread, default: []].insert(run.lowerBound) } }
                usleep(20)
            }
        }
        let places = begins.withLock { $0 }
        #expect(!places.isEmpty && places.values.allSatisfy { $0.count == 1 }, "\(places)")
    }

    @Test("the run of a thread that sleeps is done by the others")
    func takesRunsOfSleepers() {
        let team = ThreadTeam(threads: 4)
        for _ in 0..<20 {
            usleep(2_000)
            let done = Mutex<[Int]>([])
            team.forEach(4) { index in done.withLock { $0.append(index) } }
            #expect(done.withLock { $0.sorted() } == [0, 1, 2, 3])
        }
    }

    @Test("a loop sees what the caller wrote before it, and the caller what the loop wrote")
    func ordersMemory() {
        let team = ThreadTeam(threads: 4)
        let memory = UnsafeMutableBufferPointer<Int>.allocate(capacity: 8)
        memory.initialize(repeating: 0)
        defer { memory.deallocate() }
        nonisolated(unsafe) let values = memory
        for loop in 0..<5_000 {
            for index in 0..<8 { values[index] = loop }
            team.forEach(8) { values[$0] = values[$0] * 3 + $0 }
            #expect((0..<8).allSatisfy { values[$0] == loop * 3 + $0 })
        }
    }

    @Test("workers that fell asleep come back")
    func wakes() {
        let team = ThreadTeam(threads: 3)
        let mostThreads = (0..<20).map { _ in
            usleep(2_000)
            let threads = Mutex<Set<UInt>>([])
            team.forEach(3) { _ in
                _ = threads.withLock { $0.insert(UInt(pthread_self())) }
                usleep(3_000)
            }
            return threads.withLock { $0.count }
        }.max()
        #expect(mostThreads == 3)
    }

    @Test("long bodies run side by side")
    func runsSideBySide() {
        let team = ThreadTeam(threads: 4)
        let start = ContinuousClock.now
        team.forEach(8) { _ in usleep(50_000) }
        #expect(ContinuousClock.now - start < .milliseconds(350))
    }

    @Test("teams come and go, many at once")
    func teamsComeAndGo() {
        let sum = Atomic<Int>(0)
        for _ in 0..<50 {
            let teams = (1...4).map { ThreadTeam(threads: $0) }
            for team in teams { team.forEach(10) { sum.add($0, ordering: .relaxed) } }
        }
        #expect(sum.load(ordering: .relaxed) == 50 * 4 * 45)
    }

    @Test("more runnable threads than cores get through thousands of loops")
    func survivesOversubscription() async {
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let team = ThreadTeam(threads: 4)
                    let sum = Atomic<Int>(0)
                    for _ in 0..<2_000 { team.forEach(16) { sum.add($0, ordering: .relaxed) } }
                    return sum.load(ordering: .relaxed)
                }
            }
            for await sum in group { #expect(sum == 2_000 * 120) }
        }
    }
}
