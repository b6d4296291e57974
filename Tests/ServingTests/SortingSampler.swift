import Foundation
import Serving

/// The obvious twin of `Sampler`: sorts the whole vocabulary and filters lists.
struct SortingSampler {
    let parameters: SamplingParameters

    private struct Candidate {
        let id: Int
        var probability: Double
    }

    /// - Parameter point: a number in 0 ..< 1, as drawn.
    func sample(_ logits: [Float], at point: Double) -> Int {
        let order = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
        let largest = Double(logits[order[0]])
        var candidates = order.prefix(parameters.topK == 0 ? order.count : parameters.topK).map {
            Candidate(id: $0, probability: exp((Double(logits[$0]) - largest) / Double(parameters.temperature)))
        }
        normalize(&candidates)
        var reached = 0.0
        if parameters.topP < 1 {
            let last = candidates.firstIndex {
                reached += $0.probability
                return reached >= Double(parameters.topP)
            }
            if let last { candidates.removeSubrange((last + 1)...) }
            normalize(&candidates)
        }
        if parameters.minP > 0 {
            let first = candidates[0].probability
            candidates.removeAll { $0.probability < first * Double(parameters.minP) }
            normalize(&candidates)
        }
        reached = 0
        let drawn = candidates.first {
            reached += $0.probability
            return point < reached
        }
        return (drawn ?? candidates[candidates.count - 1]).id
    }

    private func normalize(_ candidates: inout [Candidate]) {
        let sum = candidates.reduce(0) { $0 + $1.probability }
        for index in candidates.indices { candidates[index].probability /= sum }
    }
}
