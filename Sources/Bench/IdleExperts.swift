package import Experts
internal import Kernels

/// Routed experts that have nothing to say: what is left of a step is the coordinator's own work.
package final class IdleExperts: RoutedExperts {
    package init() {}

    package var stageCount: Int { 1 }

    package func stage(of layer: Int) -> Int { 0 }

    package func dispatch(_ hidden: UnsafePointer<Float>, to routing: Routing, layer: Int) -> Flight {
        Flight(identifier: 0, layer: layer, routing: routing)
    }

    package func combine(_ flight: Flight, into output: UnsafeMutablePointer<Float>) {}

    package func abandon() {}
}
