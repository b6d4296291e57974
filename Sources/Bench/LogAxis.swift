internal import Foundation

/// Maps values to places along a line on which decades have equal lengths.
package struct LogAxis: Sendable, Equatable {
    /// Whole decades.
    package let decades: ClosedRange<Int>
    package let start: Double
    package let end: Double

    /// Covers all positive values of `values`, and at least one decade.
    package init(covering values: [Double], start: Double, end: Double) {
        let exponents = values.filter { $0 > 0 && $0.isFinite }.map(log10)
        let lower = Int((exponents.min() ?? 0).rounded(.down))
        let upper = Int((exponents.max() ?? 0).rounded(.up))
        decades = lower...max(upper, lower + 1)
        self.start = start
        self.end = end
    }

    package func place(_ value: Double) -> Double {
        let share = (log10(value) - Double(decades.lowerBound)) / Double(decades.count - 1)
        return start + share * (end - start)
    }

    package var lowest: Double { pow(10, Double(decades.lowerBound)) }
    package var highest: Double { pow(10, Double(decades.upperBound)) }

    /// The whole powers of ten, with their labels: "0.1", "1", "10", "1000", "10^4".
    package var ticks: [(value: Double, label: String)] {
        decades.map { exponent in
            let value = pow(10, Double(exponent))
            return (value, -2...3 ~= exponent ? String(format: "%g", value) : "10^\(exponent)")
        }
    }
}
