package import Experts
internal import Kernels

/// Steps of routed experts on a cluster: each sends a batch of a trace through every layer, as decoding would.
package final class ClusterRun {
    /// Consecutive steps.
    package struct Span: Sendable {
        package fileprivate(set) var stepSeconds: [Double] = []
        /// Steps that failed with an error, and so would the requests have.
        package fileprivate(set) var failures: [String] = []
        /// Whether what came back was, bit for bit, what came back before anything happened.
        package fileprivate(set) var isExact = true
    }

    private let experts: any RoutedExperts
    private let layers: [Int]
    private let trace: RoutingTrace
    private let tokens: Int
    private let hiddenSize: Int
    private let betweenSteps: () -> Void
    private let routing: Routing
    private let input: AlignedBuffer<Float>
    private let output: AlignedBuffer<Float>
    private var next = 0
    /// By the batch's first token: what came back the first time.
    private var digests: [Int: UInt64] = [:]

    /// - Parameters:
    ///   - layers: MoE layers of the model.
    ///   - tokens: of one step.
    ///   - betweenSteps: lets the cluster change.
    package init(
        experts: any RoutedExperts, layers: [Int], trace: RoutingTrace, tokens: Int, hiddenSize: Int,
        betweenSteps: @escaping () -> Void
    ) {
        self.experts = experts
        self.layers = layers
        self.trace = trace
        self.tokens = tokens
        self.hiddenSize = hiddenSize
        self.betweenSteps = betweenSteps
        routing = Routing(maximumTokens: tokens, expertsPerToken: trace.expertsPerToken)
        routing.begin(tokens: tokens)
        for pair in 0..<routing.pairCount { routing.weights[pair] = 1 / Float(1 + pair % trace.expertsPerToken) }
        input = AlignedBuffer(count: tokens * hiddenSize)
        for index in 0..<input.count { input.pointer[index] = Float(index % 61 - 30) / 32 }
        output = AlignedBuffer(count: tokens * hiddenSize)
    }

    /// Runs steps for at least so long, and on while `goesOn` says so.
    package func run(seconds: Double, while goesOn: () -> Bool = { false }) -> Span {
        var span = Span()
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(seconds) || goesOn() {
            let first = next
            var digest: UInt64 = 0
            do {
                // The time between two steps is part of the gap that a reader of the tokens sees.
                let elapsed = try Stopwatch.seconds {
                    digest = try step(first)
                    betweenSteps()
                }
                span.stepSeconds.append(elapsed)
                if digests[first, default: digest] != digest { span.isExact = false }
                digests[first] = digest
            } catch {
                span.failures.append("\(error)")
                experts.abandon()
                betweenSteps()
            }
            next = (next + tokens) % Self.period(trace.tokenCount, tokens)
        }
        return span
    }

    /// - Returns: a digest of every layer's output.
    private func step(_ first: Int) throws -> UInt64 {
        var digest: UInt64 = 0xCBF2_9CE4_8422_2325
        for (position, layer) in layers.enumerated() {
            for (pair, expert) in trace.batch(layer: position, from: first, tokens: tokens).enumerated() {
                routing.experts[pair] = expert
            }
            output.pointer.update(repeating: 0, count: output.count)
            let flight = try experts.dispatch(input.pointer, to: routing, layer: layer)
            try experts.combine(flight, into: output.pointer)
            for index in 0..<output.count {
                digest = (digest ^ UInt64(output.pointer[index].bitPattern)) &* 0x100_0000_01B3
            }
        }
        return digest
    }

    /// Whole batches of the trace.
    private static func period(_ count: Int, _ tokens: Int) -> Int { max(tokens, count / tokens * tokens) }
}
