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
}

extension FeedForwardLoops {
    /// All of it, on its own.
    package func run(on team: ThreadTeam) {
        for loop in FeedForwardLoop.allCases {
            team.forEachRun(count(of: loop)) { run($0, of: loop) }
        }
    }
}
