import Cluster
import Testing

@Suite struct MeasuredSpeedsTests {
    /// Workers by name with (tokens, busy seconds).
    private static func speeds(_ loads: [String: (Double, Double)]) -> MeasuredSpeeds {
        var statistics = LoadStatistics(layers: [0], experts: 1, windows: [1e9])
        for (name, (tokens, seconds)) in loads {
            statistics.record(worker: name, WorkerLoad(tokens: tokens, busySeconds: seconds))
        }
        statistics.fold(seconds: 0)
        return MeasuredSpeeds(statistics)
    }

    @Test("a worker is as fast as what it computed in its busy time, against the median; small differences are chance")
    func ratios() {
        let speeds = Self.speeds([
            "a": (1000, 10), "b": (1200, 10), "slow": (400, 10), "fast": (6000, 20), "new": (1, 0.1),
        ])
        #expect(["a", "b", "new", "unknown"].map(speeds.speed) == [1, 1, 1, 1])
        // The median of 40, 100, 120 and 300 tokens a second is the upper one of the two in the middle.
        #expect(speeds.speed(of: "slow") == 40.0 / 120)
        #expect(speeds.speed(of: "fast") == 300.0 / 120)
    }

    @Test("whatever a record says, speeds are numbers that a policy takes")
    func extremes() throws {
        let wild = [0, Double.leastNonzeroMagnitude, 1e-300, 1, 1e300, Double.greatestFiniteMagnitude]
        var loads: [String: (Double, Double)] = [:]
        for tokens in wild { for seconds in [5, 1e300] { loads["\(tokens) \(seconds)"] = (tokens, seconds) } }
        let speeds = Self.speeds(loads)
        for name in loads.keys { #expect(0.01...100 ~= speeds.speed(of: name), "\(name)") }
    }
}
