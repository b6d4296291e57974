/// How far matrices are from those they were made of: over the weights that are finite numbers on both sides, and how
/// many are not.
package struct WeightError: Sendable {
    /// Weights that are no finite numbers as they are held. One that is not takes the others of its group with it.
    package private(set) var brokenCount = 0
    private var squaredDifferences = 0.0
    private var squaredWeights = 0.0
    /// The largest magnitudes.
    private var difference: Float = 0
    private var weight: Float = 0

    package init() {}

    /// Of one matrix [rows, columns] against the one it was made of.
    package init(of made: WeightMatrix, against original: WeightMatrix, team: ThreadTeam) {
        precondition(made.rows == original.rows && made.columns == original.columns)
        let kernels = KernelSet.available()[0]
        var rows = [WeightError](repeating: WeightError(), count: made.rows)
        rows.withUnsafeMutableBufferPointer { rows in
            guard let rows = rows.baseAddress else { return }
            team.forEach(made.rows) { row in
                withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * made.columns) { values in
                    guard let held = values.baseAddress else { return }
                    kernels.widenRow(made, row: row, into: held)
                    kernels.widenRow(original, row: row, into: held + made.columns)
                    for column in 0..<made.columns { rows[row].note(held[column], of: held[made.columns + column]) }
                }
            }
        }
        for row in rows { add(row) }
    }

    /// The root of the squared differences' sum over that of the squared weights; 0 of nothing but zeros.
    package var relativeRMS: Double { squaredWeights > 0 ? (squaredDifferences / squaredWeights).squareRoot() : 0 }

    /// The largest difference over the largest weight.
    package var relativeMaximum: Double { weight > 0 ? Double(difference / weight) : 0 }

    package mutating func add(_ other: WeightError) {
        brokenCount += other.brokenCount
        squaredDifferences += other.squaredDifferences
        squaredWeights += other.squaredWeights
        difference = max(difference, other.difference)
        weight = max(weight, other.weight)
    }

    private mutating func note(_ value: Float, of original: Float) {
        guard value.isFinite, original.isFinite else {
            brokenCount += 1
            return
        }
        let error = value - original
        squaredDifferences += Double(error) * Double(error)
        squaredWeights += Double(original) * Double(original)
        difference = max(difference, abs(error))
        weight = max(weight, abs(original))
    }
}
