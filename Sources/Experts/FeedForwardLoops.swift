package import Kernels

/// What a gated feed-forward does, one after the other; each is a parallel loop.
package enum FeedForwardLoop: CaseIterable {
    /// Gate and up, joined by SwiGLU.
    case gateAndUp
    /// Makes codes of the inner rows, where `down` reads these.
    case encode
    case down
}

/// A feed-forward as loops, whose items are independent of one another. Several may go through each loop together: then
/// fewer loops begin with threads that wait for memory and end with threads that wait for one another.
package protocol FeedForwardLoops {
    func count(of loop: FeedForwardLoop) -> Int

    /// - Parameter items: neighbours.
    func run(_ items: Range<Int>, of loop: FeedForwardLoop)

    /// What the threads begin with in the loop after this one; nil: nobody knows.
    func prefetches(after loop: FeedForwardLoop) -> Prefetches?
}

extension FeedForwardLoops {
    /// All of it, on its own.
    /// - Parameter isFollowed: whether these threads go on at once; false: their processors go to others.
    package func run(on team: ThreadTeam, isFollowed: Bool = true) {
        for loop in FeedForwardLoop.allCases {
            team.expect(loop == .down && !isFollowed ? nil : prefetches(after: loop))
            team.forEachRun(count(of: loop)) { run($0, of: loop) }
        }
    }
}
