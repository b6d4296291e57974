/// Finds the two rates of which a time is made, seconds = first / x + second / y, from a small load and a large one.
package struct RateFit {
    /// One measurement.
    package struct Point {
        /// What the first rate is of, such as bytes.
        package let first: Double
        /// What the second rate is of, such as multiply-adds.
        package let second: Double
        package let seconds: Double

        package init(first: Double, second: Double, seconds: Double) {
            self.first = first
            self.second = second
            self.seconds = seconds
        }
    }

    /// Seconds for one unit of the first.
    package let firstSeconds: Double
    /// Seconds for one unit of the second.
    package let secondSeconds: Double

    /// The rates that give both times; where one of them came out negative it is left out, and the other is the one
    /// between the two measurements.
    /// - Parameter leastFirst: seconds that one unit of the first is known to take at least. Measurements that were
    ///   faster show that this does not hold for them.
    package init(_ small: Point, _ large: Point, leastFirst: Double = 0) {
        let determinant = small.first * large.second - large.first * small.second
        let first = (small.seconds * large.second - large.seconds * small.second) / determinant
        let second = (small.first * large.seconds - large.first * small.seconds) / determinant
        let least = [small, large].allSatisfy { $0.seconds >= $0.first * leastFirst } ? leastFirst : 0
        if determinant != 0, first >= least, second >= 0 {
            (firstSeconds, secondSeconds) = (first, second)
        } else if determinant != 0, first < least {
            let rest = [small, large].map { ($0.seconds - $0.first * least) / $0.second }
            (firstSeconds, secondSeconds) = (least, Self.mean(rest[0], rest[1]))
        } else {
            (firstSeconds, secondSeconds) = (Self.mean(small.seconds / small.first, large.seconds / large.first), 0)
        }
    }

    /// The geometric mean: as many times too large for the one as too small for the other.
    private static func mean(_ left: Double, _ right: Double) -> Double { (left * right).squareRoot() }
}
