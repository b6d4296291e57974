package import Kernels

/// The end of a combine: adds the answers of a flight to the layer's output in one fixed order, whoever gave them and
/// whenever they came.
package struct AnswerSum {
    private let processor: Processor
    private let hiddenSize: Int
    private let rankCount: Int
    private let exchange: ExchangeDType
    private let scratch: AlignedBuffer<Float>

    /// - Parameter rankCount: tensor-parallel partial answers of each (token, slot).
    package init(processor: Processor, hiddenSize: Int, rankCount: Int, maximumTokens: Int, exchange: ExchangeDType) {
        self.processor = processor
        self.hiddenSize = hiddenSize
        self.rankCount = rankCount
        self.exchange = exchange
        scratch = AlignedBuffer(count: 2 * maximumTokens * hiddenSize)
    }

    /// output[t] += sum over slots, in order, of weight[t, slot] * (sum over ranks, in order, of answers[t, slot,
    /// rank]).
    /// - Parameters:
    ///   - answers: [tokens, slots, ranks, hidden size] as they travel.
    ///   - output: [tokens, hidden size] f32.
    package func add(_ answers: UnsafeRawPointer, routing: Routing, into output: UnsafeMutablePointer<Float>) {
        processor.team.forEach(routing.tokens) { token in
            let sum = scratch.pointer + 2 * token * hiddenSize
            for slot in 0..<routing.expertsPerToken {
                let pair = token * routing.expertsPerToken + slot
                let answer = whole(answers, pair: pair, sum: sum)
                processor.kernels.accumulate(
                    answer, weight: routing.weights[pair], count: hiddenSize, into: output + token * hiddenSize)
            }
        }
    }

    /// One expert's answer for one token: its ranks' parts added in rank order.
    private func whole(
        _ answers: UnsafeRawPointer, pair: Int, sum: UnsafeMutablePointer<Float>
    ) -> UnsafePointer<Float> {
        let first = read(answers, row: pair * rankCount, scratch: sum)
        guard rankCount > 1 else { return first }
        if first != UnsafePointer(sum) { sum.update(from: first, count: hiddenSize) }
        for rank in 1..<rankCount {
            let part = read(answers, row: pair * rankCount + rank, scratch: sum + hiddenSize)
            processor.kernels.accumulate(part, weight: 1, count: hiddenSize, into: sum)
        }
        return UnsafePointer(sum)
    }

    private func read(
        _ answers: UnsafeRawPointer, row: Int, scratch: UnsafeMutablePointer<Float>
    ) -> UnsafePointer<Float> {
        switch exchange {
        case .f32:
            return answers.assumingMemoryBound(to: Float.self) + row * hiddenSize
        case .bf16, .fp8:
            let source = answers.assumingMemoryBound(to: UInt16.self) + row * hiddenSize
            processor.kernels.widen(source, count: hiddenSize, into: scratch)
            return UnsafePointer(scratch)
        }
    }
}
