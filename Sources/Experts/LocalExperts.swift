package import Kernels

/// The routed experts in this process: the whole engine runs without a cluster, with the same results.
package final class LocalExperts: RoutedExperts {
    private let shard: ExpertShard
    private let processor: Processor
    private let hiddenSize: Int
    private let exchange: ExchangeDType
    private let feedForward: GroupedFeedForward
    private let sum: AnswerSum
    private let narrowHidden: AlignedBuffer<UInt16>
    private let answers: AlignedBuffer<UInt8>
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
        self.processor = processor
        self.hiddenSize = hiddenSize
        self.exchange = exchange
        let pairs = maximumTokens * expertsPerToken
        feedForward = GroupedFeedForward(
            processor: processor, hiddenSize: hiddenSize, width: shard.maximumWidth, maximumPairs: pairs,
            exchange: exchange)
        sum = AnswerSum(
            processor: processor, hiddenSize: hiddenSize, rankCount: 1, maximumTokens: maximumTokens,
            exchange: exchange)
        narrowHidden = AlignedBuffer(count: exchange == .bf16 ? maximumTokens * hiddenSize : 0)
        answers = AlignedBuffer(count: pairs * hiddenSize * exchange.byteSize)
    }

    package var stageCount: Int { 1 }

    package func stage(of layer: Int) -> Int { 0 }

    package func dispatch(_ hidden: UnsafePointer<Float>, to routing: Routing, layer: Int) -> Flight {
        let flight = Flight(identifier: nextFlight, layer: layer, routing: routing)
        nextFlight += 1
        self.hidden[flight.identifier] = hidden
        return flight
    }

    package func combine(_ flight: Flight, into output: UnsafeMutablePointer<Float>) {
        guard let hidden = hidden.removeValue(forKey: flight.identifier) else {
            preconditionFailure("a flight is combined once")
        }
        let routing = flight.routing
        pairs.removeAll(keepingCapacity: true)
        for index in 0..<routing.pairCount {
            pairs.append(.init(row: index / routing.expertsPerToken, slice: Int(routing.experts[index])))
        }
        feedForward.run(
            pairs, of: shard, layer: flight.layer, input: exchanged(hidden, routing.tokens), answers: answers.pointer)
        sum.add(answers.pointer, routing: routing, into: output)
    }

    package func abandon() { hidden.removeAll() }

    /// The hidden vectors as a worker would get them.
    private func exchanged(_ hidden: UnsafePointer<Float>, _ tokens: Int) -> UnsafeRawPointer {
        guard exchange == .bf16 else { return UnsafeRawPointer(hidden) }
        processor.team.forEach(tokens) { token in
            let offset = token * hiddenSize
            processor.kernels.narrow(hidden + offset, count: hiddenSize, into: narrowHidden.pointer + offset)
        }
        return UnsafeRawPointer(narrowHidden.pointer)
    }
}
