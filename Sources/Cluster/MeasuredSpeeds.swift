/// How fast workers are against one another, by what they computed in how much time. Workers of the same kind differ in
/// that by what they happen to be asked for, so only a difference that stands out counts.
package struct MeasuredSpeeds: Sendable {
    /// By name: tokens per busy second over the median's, 1 where that does not stand out.
    private let speeds: [String: Double]
    /// Below this a difference is taken for chance: a hot expert's tokens come cheaper than those of many cold ones.
    static let tolerance = 1.5
    /// No two machines that serve together are further apart.
    static let widest = 100.0
    /// A worker that did less than this has not been measured.
    static let leastSeconds = 5.0

    package init(_ statistics: LoadStatistics) {
        let measured = statistics.workers.compactMapValues { history -> Double? in
            guard let load = history.windows.first, load.busySeconds >= Self.leastSeconds, let speed = load.speed
            else { return nil }
            // A record may hold any numbers.
            return speed.isNormal ? speed : nil
        }
        let sorted = measured.values.sorted()
        guard sorted.count > 1 else {
            speeds = [:]
            return
        }
        let median = sorted[sorted.count / 2]
        speeds = measured.mapValues { speed in
            let ratio = speed / median
            let isPlain = 1 / Self.tolerance...Self.tolerance ~= ratio
            return isPlain ? 1 : min(max(ratio, 1 / Self.widest), Self.widest)
        }
    }

    /// 1 for a worker that has not been measured.
    package func speed(of name: String) -> Double { speeds[name] ?? 1 }
}
