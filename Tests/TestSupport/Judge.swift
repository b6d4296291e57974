/// Holds candidates against a reference, with the bounds of honest implementations: f32 to 1e-4 of the largest logit
/// with every expert and token equal (but where the reference itself is nearly tied), bf16 by medians and margins.
package struct Judge {
    package enum Mode: Sendable {
        case f32
        case bf16
    }

    private let mode: Mode
    private var errors: [Float] = []
    private var agreements: [Bool] = []
    private var clearAgreements: [Bool] = []
    private var sameExperts: [Bool] = []
    package private(set) var complaints: [String] = []

    package init(_ mode: Mode) {
        self.mode = mode
    }

    /// Takes one prompt in.
    /// - Parameters:
    ///   - last: the reference's logits after the prompt, [vocabulary].
    ///   - prediction: the reference's MTP logits after the prompt, [vocabulary]; nil without an MTP layer.
    package mutating func hold(
        _ candidate: Candidate, against prompt: Reference.Prompt, last: [Float], prediction: [Float]?
    ) {
        holdLogits(candidate, prompt)
        holdRouting(candidate, prompt)
        if mode == .f32 {
            holdVector(Array(candidate.logits(at: prompt.ids.count - 1)), last, "\(prompt.name): last logits")
            if let prediction { holdVector(candidate.predictionLogits, prediction, "\(prompt.name): MTP logits") }
        }
        holdGreedy(candidate, prompt)
    }

    /// The verdict over all prompts; empty when the candidate passes.
    package mutating func verdict() -> [String] {
        let (median, agreement, clear, experts): (Float, Double, Double, Double) =
            mode == .f32 ? (2e-5, 1, 1, 1) : (0.03, 0.90, 0.97, 0.80)
        let middle = errors.sorted()[errors.count / 2]
        if !(middle <= median) { complaints.append("median logit error \(middle) of the spread") }
        demand(agreements, agreement, "top-1 agreement")
        demand(clearAgreements, clear, "top-1 agreement where the margin is clear")
        demand(sameExperts, experts, "equal expert sets")
        return complaints
    }

    private mutating func holdLogits(_ candidate: Candidate, _ prompt: Reference.Prompt) {
        let positions = prompt.positions
        let tie: Float = mode == .f32 ? 1e-3 : 0
        for position in prompt.ids.indices {
            let logits = candidate.logits(at: position)
            let probes = zip(positions.probeIDs, positions.probeLogits[position]).map {
                logits[logits.startIndex + $0] - $1
            }
            let meanSquare = probes.reduce(0) { $0 + $1 * $1 } / Float(probes.count)
            errors.append(meanSquare.squareRoot() / positions.logitDeviation)
            guard positions.margin[position] > tie else { continue }
            let agrees = Self.argmax(logits) == positions.argmax[position]
            agreements.append(agrees)
            if positions.margin[position] > max(tie, positions.logitDeviation / 2) { clearAgreements.append(agrees) }
        }
    }

    /// Up to the first token that differs: what follows it has another prefix.
    private mutating func holdRouting(_ candidate: Candidate, _ prompt: Reference.Prompt) {
        let gap: Float = mode == .f32 ? 5e-6 : 0
        for reference in prompt.routing {
            guard let layer = candidate.routing.first(where: { $0.layer == reference.layer }) else {
                complaints.append("\(prompt.name): no routing of layer \(reference.layer)")
                continue
            }
            let shared = prompt.ids.count + zip(candidate.ids, prompt.greedy.ids).prefix { $0 == $1 }.count
            for position in layer.experts.indices.prefix(shared) where reference.gap[position] > gap {
                sameExperts.append(layer.experts[position].sorted() == reference.experts[position])
            }
        }
    }

    private mutating func holdVector(_ values: [Float], _ reference: [Float], _ what: String) {
        guard values.count == reference.count else {
            complaints.append("\(what): \(values.count) values for \(reference.count)")
            return
        }
        let difference = zip(values, reference).map { abs($0 - $1) }.max() ?? 0
        let relative = difference / (reference.map(abs).max() ?? 1)
        if !(relative <= 1e-4) { complaints.append("\(what) off by \(relative) of the largest") }
    }

    /// The first token that differs must differ at a near tie; afterwards the two go different ways.
    private mutating func holdGreedy(_ candidate: Candidate, _ prompt: Reference.Prompt) {
        let limit = mode == .f32 ? 1e-3 : prompt.positions.logitDeviation
        for (step, pair) in zip(candidate.ids, prompt.greedy.ids).enumerated() where pair.0 != pair.1 {
            if prompt.greedy.margin[step] > limit { complaints.append("\(prompt.name): leaves at step \(step)") }
            return
        }
    }

    private mutating func demand(_ hits: [Bool], _ share: Double, _ what: String) {
        guard !hits.isEmpty else { return complaints.append("\(what): nothing to judge") }
        let reached = Double(hits.count { $0 }) / Double(hits.count)
        if reached < share { complaints.append("\(what) \(reached)") }
    }

    private static func argmax(_ values: ArraySlice<Float>) -> Int {
        var best = values.startIndex
        for index in values.indices where values[index] > values[best] { best = index }
        return best - values.startIndex
    }
}
