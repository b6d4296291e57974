package import Kernels

/// The routed experts in this process: the whole engine runs without a cluster, with the same results.
package final class LocalExperts: RoutedExperts {
    private let shard: ExpertShard
    private let feedForward: GroupedFeedForward
    private let sum: AnswerSum
    private let encoder: RowEncoder
    private let answers: AlignedBuffer<UInt8>
    /// [pairs] where each answer is.
    private let places: AlignedBuffer<UnsafeRawPointer>
    private var pairs: [GroupedFeedForward.Pair] = []
    private var nextFlight: UInt64 = 0
    private var hidden: [UInt64: UnsafePointer<Float>] = [:]

    /// - Parameters:
    ///   - shard: holds every expert of every MoE layer, whole.
    ///   - maximumTokens: the most tokens of one flight.
    package init(
        shard: ExpertShard, processor: Processor, hiddenSize: Int, expertsPerToken: Int, maximumTokens: Int,
        exchange: ExchangeDType
    ) {
        precondition(shard.tensorParallelSize == 1, "local experts are whole")
        self.shard = shard
        let pairs = maximumTokens * expertsPerToken
        feedForward = GroupedFeedForward(
            processor: processor, hiddenSize: hiddenSize, width: shard.maximumWidth, maximumRows: maximumTokens,
            maximumPairs: pairs, exchange: exchange)
        sum = AnswerSum(
            processor: processor, hiddenSize: hiddenSize, rankCount: 1, maximumTokens: maximumTokens,
            exchange: exchange)
        encoder = RowEncoder(
            processor: processor, hiddenSize: hiddenSize, maximumRows: maximumTokens, exchange: exchange)
        let size = exchange.answerByteCount(hiddenSize)
        answers = AlignedBuffer(count: pairs * size)
        places = AlignedBuffer(count: pairs)
        for pair in 0..<pairs { places.pointer[pair] = UnsafeRawPointer(answers.pointer + pair * size) }
    }

    package var stageCount: Int { 1 }

    package func stage(of layer: Int) -> Int { 0 }

    package func dispatch(_ hidden: UnsafePointer<Float>, to routing: Routing, layer: Int) -> Flight {
        let flight = Flight(identifier: nextFlight, layer: layer, routing: routing)
        nextFlight += 1
        self.hidden[flight.identifier] = hidden
        return flight
    }

    package func combine(
        _ flight: Flight, beside work: (any FeedForwardLoops)?, into output: UnsafeMutablePointer<Float>
    ) {
        guard let hidden = hidden.removeValue(forKey: flight.identifier) else {
            preconditionFailure("a flight is combined once")
        }
        let routing = flight.routing
        pairs.removeAll(keepingCapacity: true)
        for row in 0..<routing.tokens {
            for pair in row * routing.expertsPerToken..<(row + 1) * routing.expertsPerToken {
                pairs.append(.init(row: row, slice: Int(routing.experts[pair])))
            }
        }
        feedForward.run(
            pairs, of: shard, layer: flight.layer, input: encoder.encode(hidden, count: routing.tokens),
            rowCount: routing.tokens, beside: work, answers: answers.pointer)
        sum.add(places.pointer, routing: routing, into: output)
    }

    package func abandon() { hidden.removeAll() }
}
