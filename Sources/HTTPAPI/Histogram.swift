/// Counts of durations by upper bound, as Prometheus takes them.
struct Histogram: Sendable {
    /// Upper bounds in seconds, ascending.
    let bounds: [Double]
    /// By bound; the last one counts what is above all bounds.
    private(set) var counts: [Int]
    private(set) var sum = 0.0

    init(bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    mutating func add(_ duration: Duration) {
        let seconds = duration / .seconds(1)
        counts[bounds.firstIndex { seconds <= $0 } ?? bounds.count] += 1
        sum += seconds
    }
}
