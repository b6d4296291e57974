/// Why a file of measured rates cannot be used.
package struct MeasuredRatesError: Error, Hashable, Sendable, CustomStringConvertible {
    package let file: String
    package let problem: String

    package var description: String {
        "\(file) \(problem): name a file that 'cohort bench plan --record' wrote, or record it again"
    }
}
