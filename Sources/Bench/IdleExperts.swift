package import Experts
package import Kernels

/// Routed experts that have nothing to say: what is left of a step is the coordinator's own work.
package final class IdleExperts: RoutedExperts {
    private let team: ThreadTeam

    package init(team: ThreadTeam) {
        self.team = team
    }

    package var stageCount: Int { 1 }

    package func stage(of layer: Int) -> Int { 0 }

    package func dispatch(_ hidden: UnsafePointer<Float>, to routing: Routing, layer: Int) -> Flight {
        Flight(identifier: 0, layer: layer, routing: routing)
    }

    package func combine(
        _ flight: Flight, beside work: (any FeedForwardLoops)?, into output: UnsafeMutablePointer<Float>
    ) {
        work?.run(on: team)
    }

    package func abandon() {}
}
