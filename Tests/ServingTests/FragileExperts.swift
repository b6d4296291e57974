import Experts
import Synchronization

/// Experts that fail when they are told to.
final class FragileExperts: RoutedExperts {
    struct Broken: Error, CustomStringConvertible {
        let description = "the experts broke"
    }

    /// Dispatches that go well before one fails; negative: all.
    final class Fuse: Sendable {
        private let left = Mutex(-1)

        func light(after dispatches: Int) { left.withLock { $0 = dispatches } }

        func burn() throws {
            try left.withLock { left in
                if left == 0 { throw Broken() }
                if left > 0 { left -= 1 }
            }
        }
    }

    private let experts: any RoutedExperts
    private let fuse: Fuse

    init(_ experts: any RoutedExperts, fuse: Fuse) {
        self.experts = experts
        self.fuse = fuse
    }

    var stageCount: Int { experts.stageCount }

    func stage(of layer: Int) -> Int { experts.stage(of: layer) }

    func dispatch(_ hidden: UnsafePointer<Float>, to routing: Routing, layer: Int) throws -> Flight {
        try fuse.burn()
        return try experts.dispatch(hidden, to: routing, layer: layer)
    }

    func combine(
        _ flight: Flight, beside work: (any FeedForwardLoops)?, into output: UnsafeMutablePointer<Float>
    ) throws {
        try experts.combine(flight, beside: work, into: output)
    }

    func abandon() { experts.abandon() }
}
