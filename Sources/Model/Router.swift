internal import Checkpoint
internal import Experts
internal import Kernels

/// Chooses each token's experts, all in f32: scores select together with the correction bias, and weigh without it.
/// Source: DeepSeek-V3 technical report, section 2.1.2, and `inference/model.py` (Gate).
package struct Router {
    private let gate: WeightMatrix
    private let bias: [Float]
    private let config: RoutingConfig
    private let expertCount: Int
    private let expertsPerToken: Int

    init(from checkpoint: Checkpoint, layer: Int) throws {
        let model = checkpoint.config
        let names = LayerTensorNames(layer: layer)
        gate = try checkpoint.matrix(
            names.router, rows: model.expertCount, columns: model.hiddenSize)
        bias =
            model.routing.selection == .noAuxTC
            ? try checkpoint.vector(names.routerBias, count: model.expertCount)
            : Array(repeating: 0, count: model.expertCount)
        config = model.routing
        expertCount = model.expertCount
        expertsPerToken = model.expertsPerToken
    }

    /// What the threads begin with.
    func prefetches(tokens: Int, _ processor: Processor) -> Prefetches {
        Prefetches(processor.prefetch(of: gate.unowned, inputRows: tokens))
    }

    /// - Parameters:
    ///   - hidden: [tokens, hidden size] f32, after the post-attention norm.
    ///   - scores: scratch, [2 * tokens, expert count].
    func route(
        _ hidden: UnsafePointer<Float>, tokens: Int, scores: UnsafeMutablePointer<Float>, into routing: Routing,
        _ processor: Processor
    ) {
        routing.begin(tokens: tokens)
        processor.multiply(
            Activations(.f32(hidden), rows: tokens, columns: gate.columns), by: gate, into: scores)
        let choices = scores + tokens * expertCount
        processor.team.forEach(tokens) { token in
            let row = scores + token * expertCount
            switch config.scoring {
            case .sigmoid: processor.kernels.sigmoid(row, count: expertCount)
            case .softmax: processor.kernels.softmax(row, count: expertCount)
            }
            let first = token * expertsPerToken
            choose(
                row, choices: choices + token * expertCount, experts: routing.experts + first,
                weights: routing.weights + first)
        }
    }

    /// One token: its experts in order of choice score (ties to the lower index), and their weights.
    private func choose(
        _ scores: UnsafePointer<Float>, choices: UnsafeMutablePointer<Float>, experts: UnsafeMutablePointer<Int32>,
        weights: UnsafeMutablePointer<Float>
    ) {
        for expert in 0..<expertCount { choices[expert] = scores[expert] + bias[expert] }
        keepBestGroups(choices)
        for slot in 0..<expertsPerToken {
            let expert = indexOfLargest(choices, count: expertCount)
            experts[slot] = Int32(expert)
            weights[slot] = scores[expert]
            choices[expert] = -.infinity
        }
        weigh(weights)
    }

    private func weigh(_ weights: UnsafeMutablePointer<Float>) {
        var divisor: Float = 1
        if config.normalizes {
            divisor = 1e-20
            for slot in 0..<expertsPerToken { divisor += weights[slot] }
        }
        for slot in 0..<expertsPerToken { weights[slot] = weights[slot] / divisor * config.scalingFactor }
    }

    /// Takes every expert outside the best groups out of the choice.
    private func keepBestGroups(_ choices: UnsafeMutablePointer<Float>) {
        guard config.limitsGroups else { return }
        let (groups, kept) = (config.groupCount, config.keptGroupCount)
        let size = expertCount / groups
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * groups) { room in
            guard let scores = room.baseAddress else { return }
            let isKept = scores + groups
            for group in 0..<groups {
                scores[group] = groupScore(choices + group * size, count: size)
                isKept[group] = 0
            }
            for _ in 0..<kept {
                let best = indexOfLargest(scores, count: groups)
                isKept[best] = 1
                scores[best] = -.infinity
            }
            for group in 0..<groups where isKept[group] == 0 {
                (choices + group * size).update(repeating: -.infinity, count: size)
            }
        }
    }

    /// V3: the sum of the group's two largest choice scores. V2: the largest.
    private func groupScore(_ choices: UnsafePointer<Float>, count: Int) -> Float {
        var (first, second) = (-Float.infinity, -Float.infinity)
        for index in 0..<count {
            if choices[index] > first {
                (first, second) = (choices[index], first)
            } else if choices[index] > second {
                second = choices[index]
            }
        }
        return config.selection == .noAuxTC ? first + second : first
    }

    private func indexOfLargest(_ values: UnsafePointer<Float>, count: Int) -> Int {
        var best = 0
        for index in 1..<max(count, 1) where values[index] > values[best] { best = index }
        return best
    }
}
