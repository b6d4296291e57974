package import Kernels

/// The end of a combine: adds the answers of a flight to the layer's output in one fixed order, whoever gave them and
/// whenever they came.
package struct AnswerSum {
    private let processor: Processor
    private let hiddenSize: Int
    private let rankCount: Int
    private let exchange: ExchangeDType
    /// [tokens, hidden size] where answers come in parts: one answer of a token.
    private let whole: AlignedBuffer<Float>

    /// - Parameter rankCount: tensor-parallel partial answers of each (token, slot).
    package init(processor: Processor, hiddenSize: Int, rankCount: Int, maximumTokens: Int, exchange: ExchangeDType) {
        self.processor = processor
        self.hiddenSize = hiddenSize
        self.rankCount = rankCount
        self.exchange = exchange
        whole = AlignedBuffer(count: rankCount > 1 ? maximumTokens * hiddenSize : 0)
    }

    /// output[t] += sum over slots, in order, of weight[t, slot] * (sum over ranks, in order, of answers[t, slot,
    /// rank]).
    /// - Parameters:
    ///   - answers: [tokens, slots, ranks] where each answer is: [hidden size] as it travels.
    ///   - output: [tokens, hidden size] f32.
    package func add(
        _ answers: UnsafePointer<UnsafeRawPointer>, routing: Routing, into output: UnsafeMutablePointer<Float>
    ) {
        processor.team.forEach(routing.tokens) { token in
            let output = output + token * hiddenSize
            for slot in 0..<routing.expertsPerToken {
                let pair = token * routing.expertsPerToken + slot
                let weight = routing.weights[pair]
                guard rankCount > 1 else {
                    add(answers[pair], weight: weight, into: output)
                    continue
                }
                let whole = whole.pointer + token * hiddenSize
                copy(answers[pair * rankCount], into: whole)
                for rank in 1..<rankCount { add(answers[pair * rankCount + rank], weight: 1, into: whole) }
                processor.kernels.accumulate(whole, weight: weight, count: hiddenSize, into: output)
            }
        }
    }

    private func add(_ answer: UnsafeRawPointer, weight: Float, into sum: UnsafeMutablePointer<Float>) {
        switch exchange {
        case .f32:
            processor.kernels.accumulate(
                answer.assumingMemoryBound(to: Float.self), weight: weight, count: hiddenSize, into: sum)
        case .bf16, .fp8:
            processor.kernels.accumulate(
                answer.assumingMemoryBound(to: UInt16.self), weight: weight, count: hiddenSize, into: sum)
        }
    }

    private func copy(_ answer: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        switch exchange {
        case .f32:
            values.update(from: answer.assumingMemoryBound(to: Float.self), count: hiddenSize)
        case .bf16, .fp8:
            processor.kernels.widen(answer.assumingMemoryBound(to: UInt16.self), count: hiddenSize, into: values)
        }
    }
}
