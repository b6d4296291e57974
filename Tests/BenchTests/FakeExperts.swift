import Experts
import Foundation

/// Routed experts that answer with the sum of what they were asked, and remember it; one of the calls can fail.
final class FakeExperts: RoutedExperts {
    struct Failure: Error {}

    /// [dispatches] the layer and the experts that were asked.
    private(set) var asked: [(layer: Int, experts: [Int32])] = []
    private(set) var abandoned = 0
    /// The number of the dispatch that fails.
    var failing: Int?
    /// What is added to every answer.
    var drift: Float = 0
    /// How long a dispatch and a combine take.
    let pause: (dispatch: TimeInterval, combine: TimeInterval)

    init(pause: (dispatch: TimeInterval, combine: TimeInterval) = (0, 0)) {
        self.pause = pause
    }

    var stageCount: Int { 1 }

    func stage(of layer: Int) -> Int { 0 }

    func dispatch(_ hidden: UnsafePointer<Float>, to routing: Routing, layer: Int) throws -> Flight {
        asked.append((layer, (0..<routing.pairCount).map { routing.experts[$0] }))
        if asked.count == failing { throw Failure() }
        Thread.sleep(forTimeInterval: pause.dispatch)
        return Flight(identifier: UInt64(asked.count), layer: layer, routing: routing)
    }

    func combine(
        _ flight: Flight, beside work: (any FeedForwardLoops)?, into output: UnsafeMutablePointer<Float>
    ) {
        Thread.sleep(forTimeInterval: pause.combine)
        for pair in 0..<flight.routing.pairCount {
            output[0] += flight.routing.weights[pair] * Float(flight.routing.experts[pair]) + drift
        }
    }

    func abandon() { abandoned += 1 }
}
