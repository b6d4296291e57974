/// The seam between the model and wherever its routed experts live: in this process or on a cluster.
///
/// Used from one thread. Between `dispatch` and `combine` of one flight the caller may compute, and may dispatch other
/// layers' flights; the hidden vectors and the routing of a flight stay unchanged until it is combined.
package protocol RoutedExperts: AnyObject {
    /// Pipeline stages, first to last: the layers whose experts one group of workers holds.
    var stageCount: Int { get }

    /// Passes with many rows that gain by being in one stage at once: two where the experts compute on processors of
    /// their own, so that they have one pass's rows while the next one's attention is computed.
    var passesPerStage: Int { get }

    /// The pipeline stage that holds a layer's experts.
    func stage(of layer: Int) -> Int

    /// Sends every token to the experts that its routing names.
    /// - Parameter hidden: [routing.tokens, hidden size] f32.
    /// - Throws: when a worker that is needed cannot be reached.
    func dispatch(_ hidden: UnsafePointer<Float>, to routing: Routing, layer: Int) throws -> Flight

    /// Does the caller's own work, waits for the answers of a flight and adds them: output[t] += sum over slots of
    /// weight[t, slot] * answer[t, slot], in slot order.
    /// - Parameters:
    ///   - work: on the same rows; it may write the output that the answers are added to.
    ///   - output: [routing.tokens, hidden size] f32.
    /// - Throws: when an answer cannot be had.
    func combine(
        _ flight: Flight, beside work: (any FeedForwardLoops)?, into output: UnsafeMutablePointer<Float>) throws

    /// Forgets every flight that has not been combined, after an error.
    func abandon()
}

extension RoutedExperts {
    package var passesPerStage: Int { 1 }

    /// The same without work of the caller's own.
    package func combine(_ flight: Flight, into output: UnsafeMutablePointer<Float>) throws {
        try combine(flight, beside: nil, into: output)
    }
}

/// One layer's tokens on their way to the experts and back.
package struct Flight {
    package let identifier: UInt64
    package let layer: Int
    package let routing: Routing

    package init(identifier: UInt64, layer: Int, routing: Routing) {
        self.identifier = identifier
        self.layer = layer
        self.routing = routing
    }
}
