package import Experts
internal import Kernels

/// One layer's routed experts by themselves: dispatch and combine, again and again with other experts, as a plan has
/// them: drawn uniformly.
package final class LayerRun {
    /// Seconds of each repetition.
    package struct Outcome {
        /// Until all rows are on their way.
        package let dispatch: Samples
        /// That the slowest worker computed.
        package let experts: Samples
        /// From the dispatch to the end of the combine, without the slowest worker's computing.
        package let way: Samples
    }

    private let experts: any RoutedExperts
    private let layer: Int
    private let trace: RoutingTrace
    private let tokens: Int
    private let routing: Routing
    private let input: AlignedBuffer<Float>
    private let output: AlignedBuffer<Float>
    private let busySeconds: () -> [Double]

    /// - Parameter busySeconds: [workers] how long each has computed so far.
    package init(
        experts: any RoutedExperts, layer: Int, expertCount: Int, expertsPerToken: Int, tokens: Int, hiddenSize: Int,
        busySeconds: @escaping () -> [Double]
    ) {
        self.experts = experts
        self.layer = layer
        self.tokens = tokens
        self.busySeconds = busySeconds
        trace = RoutingTrace(
            experts: expertCount, expertsPerToken: expertsPerToken, layers: 1, tokens: tokens * Self.batches,
            exponent: 0, seed: UInt64(tokens))
        routing = Routing(maximumTokens: tokens, expertsPerToken: expertsPerToken)
        routing.begin(tokens: tokens)
        for pair in 0..<routing.pairCount { routing.weights[pair] = 1 / Float(expertsPerToken) }
        input = AlignedBuffer(count: tokens * hiddenSize)
        for index in 0..<input.count { input.pointer[index] = Float(index % 61 - 30) / 32 }
        output = AlignedBuffer(count: tokens * hiddenSize)
    }

    /// - Throws: what the experts throw.
    package func measure(_ stopwatch: Stopwatch) throws -> Outcome {
        var (dispatch, slowest, way): ([Double], [Double], [Double]) = ([], [], [])
        _ = try stopwatch.measure { repetition in
            for (pair, expert) in trace.batch(layer: 0, from: repetition * tokens, tokens: tokens).enumerated() {
                routing.experts[pair] = expert
            }
            let before = busySeconds()
            var flight: Flight?
            let there = try Stopwatch.seconds {
                flight = try experts.dispatch(input.pointer, to: routing, layer: layer)
            }
            let back = try Stopwatch.seconds {
                if let flight { try experts.combine(flight, into: output.pointer) }
            }
            guard repetition > 0 else { return }
            let busy = zip(before, busySeconds()).map { $1 - $0 }.max() ?? 0
            dispatch.append(there)
            slowest.append(busy)
            way.append(there + back - busy)
        }
        return Outcome(dispatch: Samples(dispatch), experts: Samples(slowest), way: Samples(way))
    }

    /// Enough that no cache holds the experts of a batch until it comes round.
    private static let batches = 64
}
