internal import Foundation

/// Chooses a token from logits. The draw depends on the seed and the step alone, so a request's tokens do not depend on
/// its company. Filters apply in the order temperature, top-k, top-p, min-p, as in transformers.
package struct Sampler {
    private let parameters: SamplingParameters

    package init(parameters: SamplingParameters) {
        self.parameters = parameters
    }

    /// - Parameters:
    ///   - logits: [vocabulary].
    ///   - largest: the index of the largest of them, the first of equals.
    ///   - step: the number of tokens generated before this one.
    package func sample(_ logits: UnsafeBufferPointer<Float>, largest: Int, step: Int) -> Int {
        guard parameters.temperature > 0 else { return largest }
        var candidates = keepLikeliest(logits)
        keepNucleus(&candidates)
        keepComparable(&candidates)
        return draw(candidates, at: uniform(step: step))
    }

    private struct Candidate {
        let id: Int
        var probability: Double
    }

    /// The top-k candidates, likeliest first (ties to the lower id), with their probabilities after temperature.
    private func keepLikeliest(_ logits: UnsafeBufferPointer<Float>) -> [Candidate] {
        let order = Self.descending(logits, count: parameters.topK == 0 ? logits.count : parameters.topK)
        guard let first = order.first else { return [] }
        let largest = Double(logits[first])
        let candidates = order.map {
            Candidate(id: $0, probability: exp((Double(logits[$0]) - largest) / Double(parameters.temperature)))
        }
        return normalized(candidates)
    }

    private func keepNucleus(_ candidates: inout [Candidate]) {
        guard parameters.topP < 1 else { return }
        var reached = 0.0
        let last = candidates.firstIndex {
            reached += $0.probability
            return reached >= Double(parameters.topP)
        }
        if let last { candidates.removeSubrange((last + 1)...) }
        candidates = normalized(candidates)
    }

    private func keepComparable(_ candidates: inout [Candidate]) {
        guard parameters.minP > 0, let first = candidates.first else { return }
        candidates.removeAll { $0.probability < first.probability * Double(parameters.minP) }
        candidates = normalized(candidates)
    }

    private func draw(_ candidates: [Candidate], at point: Double) -> Int {
        var reached = 0.0
        for candidate in candidates {
            reached += candidate.probability
            if point < reached { return candidate.id }
        }
        return candidates.last?.id ?? 0
    }

    private func normalized(_ candidates: [Candidate]) -> [Candidate] {
        let sum = candidates.reduce(0) { $0 + $1.probability }
        return candidates.map { Candidate(id: $0.id, probability: $0.probability / sum) }
    }

    /// A number in 0 ..< 1 from the seed and the step, by SplitMix64's mixing function (Steele et al., 2014).
    private func uniform(step: Int) -> Double {
        var state = parameters.seed &+ 0x9E37_79B9_7F4A_7C15 &* (UInt64(step) &+ 1)
        state = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        state = (state ^ (state >> 27)) &* 0x94D0_49BB_1331_11EB
        state ^= state >> 31
        return Double(state >> 11) * 0x1p-53
    }

    /// The ids of the `count` largest logits, largest first, ties to the lower id.
    package static func descending(_ logits: UnsafeBufferPointer<Float>, count: Int) -> [Int] {
        let isBefore = { (a: Int, b: Int) in logits[a] > logits[b] || (logits[a] == logits[b] && a < b) }
        guard count < logits.count / 8 else { return Array(logits.indices.sorted(by: isBefore).prefix(count)) }
        var best: [Int] = []
        for id in logits.indices {
            if best.count == count {
                guard let last = best.last, isBefore(id, last) else { continue }
                best.removeLast()
            }
            let place = best.firstIndex { isBefore(id, $0) } ?? best.endIndex
            best.insert(id, at: place)
        }
        return best
    }
}
