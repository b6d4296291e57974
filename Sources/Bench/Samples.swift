internal import Cluster

/// Repeated measurements of one quantity, such as seconds.
package struct Samples: Sendable, Equatable {
    private let ascending: [Double]

    /// - Parameter values: at least one.
    package init(_ values: [Double]) {
        precondition(!values.isEmpty, "nothing was measured")
        ascending = values.sorted()
    }

    package static func + (left: Samples, right: Samples) -> Samples {
        Samples(left.ascending + right.ascending)
    }

    /// The samples of what follows from each, such as a rate from a time.
    package func mapped(_ transform: (Double) -> Double) -> Samples {
        Samples(ascending.map(transform))
    }

    package var count: Int { ascending.count }
    package var median: Double { quantile(0.5) }
    package var total: Double { ascending.reduce(0, +) }

    /// The value below which a fraction of the samples lies, linear between two of them.
    package func quantile(_ fraction: Double) -> Double {
        let place = min(max(fraction, 0), 1) * Double(ascending.count - 1)
        let lower = Int(place)
        let upper = min(lower + 1, ascending.count - 1)
        return ascending[lower] + (place - Double(lower)) * (ascending[upper] - ascending[lower])
    }

    package var summary: Summary {
        Summary(count: count, median: median, p10: quantile(0.1), p90: quantile(0.9))
    }

    /// What is reported of samples.
    package struct Summary: Sendable, Equatable, Encodable {
        package let count: Int
        package let median: Double
        package let p10: Double
        package let p90: Double

        /// Of seconds: "1.2 ms (1.1 ms..1.4 ms)", the median and the range of eight in ten.
        package var secondsText: String {
            "\(Amount.seconds(median)) (\(Amount.seconds(p10))..\(Amount.seconds(p90)))"
        }
    }
}
