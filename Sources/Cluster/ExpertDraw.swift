internal import Foundation

/// What a uniformly random choice of experts hits: every token draws `chosen` of `experts` without repetition. Real
/// routers are limited to groups and are skewed; these are the numbers of a balanced load.
package enum ExpertDraw {
    /// The probability that a token draws at least one of `held` experts: 1 - C(E - held, k) / C(E, k).
    package static func hitProbability(held: Int, experts: Int, chosen: Int) -> Double {
        precondition((0...experts).contains(held) && (0...experts).contains(chosen), "more than there are experts")
        var missed = 1.0
        for draw in 0..<chosen { missed *= Double(max(0, experts - held - draw)) / Double(experts - draw) }
        return 1 - missed
    }

    /// Distinct experts that `tokens` independent draws touch: E (1 - (1 - k / E)^tokens).
    package static func expectedDistinct(experts: Int, chosen: Int, tokens: Double) -> Double {
        let all = Double(experts)
        return all * (1 - pow(1 - Double(chosen) / all, tokens))
    }

    /// The expected time of the worker that finishes last, when `drawn` distinct experts are hit and each worker works
    /// through those that it holds.
    ///
    /// With T the time of the last, P(T <= t) is the share of the draws that give no worker more than t / s of its
    /// experts: the coefficient at `drawn` of the product of the workers' binomial distributions, each cut off there.
    /// - Parameters:
    ///   - held: [workers] experts of one layer; every expert stands with one worker.
    ///   - secondsPerExpert: [workers] positive.
    ///   - drawn: between two whole numbers the times are interpolated.
    package static func expectedSlowest(held: [Int], secondsPerExpert: [Double], drawn: Double) -> Double {
        let experts = held.reduce(0, +)
        let drawn = min(max(drawn, 0), Double(experts))
        guard experts <= maximumExperts else {
            return zip(held, secondsPerExpert).map { drawn / Double(experts) * Double($0) * $1 }.max() ?? 0
        }
        let (below, above) = (Int(drawn.rounded(.down)), Int(drawn.rounded(.up)))
        let first = slowest(held: held, seconds: secondsPerExpert, experts: experts, drawn: below)
        guard above > below else { return first }
        let second = slowest(held: held, seconds: secondsPerExpert, experts: experts, drawn: above)
        return first + (second - first) * (drawn - Double(below))
    }

    /// Above it, the workers' mean times must do: the sum costs experts^3 at worst.
    static let maximumExperts = 1024

    private static func slowest(held: [Int], seconds: [Double], experts: Int, drawn: Int) -> Double {
        guard drawn > 0 else { return 0 }
        let share = Double(drawn) / Double(experts)
        let loads = held.map { binomial(trials: $0, share: share) }
        let all = binomial(trials: experts, share: share)[drawn]
        let times = Set(
            zip(held, seconds).flatMap { count, each in (0...min(count, drawn)).map { Double($0) * each } })
        var expected = 0.0
        var reached = 0.0
        for time in times.sorted() {
            let cut = zip(loads, seconds).map { load, each in load.indices.prefix { Double($0) * each <= time }.count }
            let probability = min(1, coefficient(of: zip(loads, cut).map { $0.prefix($1) }, at: drawn) / all)
            expected += time * (probability - reached)
            reached = probability
        }
        return expected
    }

    /// [trials + 1] probabilities.
    private static func binomial(trials: Int, share: Double) -> [Double] {
        if share >= 1 { return Array(repeating: 0, count: trials) + [1] }
        var logFactorial = [0.0]
        for number in 0..<trials { logFactorial.append(logFactorial[number] + log(Double(number + 1))) }
        return (0...trials).map { hits in
            let ways = logFactorial[trials] - logFactorial[hits] - logFactorial[trials - hits]
            return exp(ways + Double(hits) * log(share) + Double(trials - hits) * log(1 - share))
        }
    }

    /// The probability that the sum of independent numbers with these distributions is `index`.
    private static func coefficient(of distributions: [ArraySlice<Double>], at index: Int) -> Double {
        var sum = [1.0] + Array(repeating: 0, count: index)
        for distribution in distributions {
            var next = Array(repeating: 0.0, count: index + 1)
            for (hits, probability) in distribution.enumerated() where hits <= index && probability > 0 {
                for before in 0...index - hits { next[before + hits] += sum[before] * probability }
            }
            sum = next
        }
        return sum[index]
    }
}
