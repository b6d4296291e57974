import Foundation
import Kernels
import Synchronization
import Testing

@Suite struct ProcessorsTests {
    private static func cores(_ numbers: [Int]) -> [Topology.Core] {
        numbers.map { Topology.Core(processors: [$0], node: 0) }
    }

    private static func dealt(_ numbers: [Int], to count: Int) -> [[Int]] {
        Processors.dealt(cores(numbers), to: count).map { $0.flatMap(\.processors) }
    }

    @Test("processes that share a machine get parts of their own, the first process the last cores")
    func deals() {
        #expect(Self.dealt([0, 1, 2, 3], to: 4) == [[3], [2], [1], [0]])
        #expect(Self.dealt([0, 1, 2, 3], to: 2) == [[2, 3], [0, 1]])
        #expect(Self.dealt([0, 1, 2, 3], to: 3) == [[3], [2], [1]])
        #expect(Self.dealt([4, 6, 7, 9, 11], to: 2) == [[9, 11], [6, 7]])
    }

    @Test("more processes than cores take turns")
    func oversubscribed() {
        #expect(Self.dealt([0, 1, 2], to: 7) == [[2], [1], [0], [2], [1], [0], [2]])
    }

    @Test("a caller is kept on one processor for as long as its work takes, where the team fills the machine")
    func pinnedCaller() {
        let allowed = Processors.allowed()
        let team = ThreadTeam(threads: allowed.count)
        for _ in 0..<2 {
            let within = team.withPinnedCaller { Processors.allowed() }
            #expect(within == Array(Topology().processors[..<1]))
            #expect(Processors.allowed() == allowed)
        }
        let other = ThreadTeam(threads: allowed.count + 1)
        #expect(other.withFreeCaller { Processors.allowed() } == allowed)
        #expect(other.withPinnedCaller { Processors.allowed() } == allowed)
    }

    @Test("a pinned caller starts threads that run on every processor, and stays pinned itself")
    func freeThreads() {
        let allowed = Processors.allowed()
        let team = ThreadTeam(threads: allowed.count)
        let started = Mutex<[Int]>([])
        let ended = DispatchSemaphore(value: 0)
        let after = team.withPinnedCaller {
            team.withFreeCaller {
                Thread.detachNewThread {
                    started.withLock { $0 = Processors.allowed() }
                    ended.signal()
                }
            }
            ended.wait()
            return Processors.allowed()
        }
        #expect(started.withLock { $0 } == allowed)
        #expect(after == Array(Topology().processors[..<1]))
    }
}
