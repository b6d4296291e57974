package import Experts
internal import Kernels

/// One layer's routed experts by themselves: dispatch and combine of a trace's batches, again and again.
package final class LayerRun {
    /// Seconds of each repetition.
    package struct Outcome {
        /// From the dispatch to the end of the combine.
        package let whole: Samples
        /// That the slowest worker computed.
        package let experts: Samples
        /// The whole without the slowest worker's computing.
        package let way: Samples

        /// - Parameters: [repetitions] each.
        package init(whole: [Double], experts: [Double]) {
            self.init(
                whole: Samples(whole), experts: Samples(experts),
                way: Samples(zip(whole, experts).map { $0 - $1 }))
        }

        private init(whole: Samples, experts: Samples, way: Samples) {
            self.whole = whole
            self.experts = experts
            self.way = way
        }

        package static func + (left: Outcome, right: Outcome) -> Outcome {
            Outcome(
                whole: left.whole + right.whole, experts: left.experts + right.experts, way: left.way + right.way)
        }
    }

    private let experts: any RoutedExperts
    private let layer: Int
    private let trace: RoutingTrace
    private let tokens: Int
    private let routing: Routing
    private let input: AlignedBuffer<Float>
    private let output: AlignedBuffer<Float>
    private let busySeconds: () -> [Double]

    /// - Parameters:
    ///   - layer: of the model; the trace's first stands for it.
    ///   - tokens: of one dispatch.
    ///   - busySeconds: [workers] how long each has computed so far.
    package init(
        experts: any RoutedExperts, layer: Int, trace: RoutingTrace, tokens: Int, hiddenSize: Int,
        busySeconds: @escaping () -> [Double]
    ) {
        self.experts = experts
        self.layer = layer
        self.trace = trace
        self.tokens = tokens
        self.busySeconds = busySeconds
        routing = Routing(maximumTokens: tokens, expertsPerToken: trace.expertsPerToken)
        routing.begin(tokens: tokens)
        for pair in 0..<routing.pairCount { routing.weights[pair] = 1 / Float(trace.expertsPerToken) }
        input = AlignedBuffer(count: tokens * hiddenSize)
        for index in 0..<input.count { input.pointer[index] = Float(index % 61 - 30) / 32 }
        output = AlignedBuffer(count: tokens * hiddenSize)
    }

    /// - Throws: what the experts throw.
    package func measure(_ stopwatch: Stopwatch) throws -> Outcome {
        var (slowest, whole): ([Double], [Double]) = ([], [])
        _ = try stopwatch.measure { repetition in
            let before = busySeconds()
            let seconds = try run(batch: repetition)
            guard repetition > 0 else { return }
            slowest.append(zip(before, busySeconds()).map { $1 - $0 }.max() ?? 0)
            whole.append(seconds)
        }
        return Outcome(whole: whole, experts: slowest)
    }

    /// Dispatches and combines one batch of the trace.
    /// - Returns: seconds.
    /// - Throws: what the experts throw.
    @discardableResult
    package func run(batch: Int) throws -> Double {
        for (pair, expert) in trace.batch(layer: 0, from: batch * tokens, tokens: tokens).enumerated() {
            routing.experts[pair] = expert
        }
        return try Stopwatch.seconds {
            try experts.combine(
                experts.dispatch(input.pointer, to: routing, layer: layer), into: output.pointer)
        }
    }
}
