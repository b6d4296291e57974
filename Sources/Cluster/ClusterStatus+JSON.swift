internal import Foundation

/// The status as it crosses HTTP and as scripts read it: one object, keys sorted and in snake case.
extension ClusterStatus {
    /// - Parameter isPretty: one member on a line, for people.
    package func json(isPretty: Bool = false) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if isPretty { encoder.outputFormatting.insert(.prettyPrinted) }
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: Self.infinity, negativeInfinity: "-" + Self.infinity, nan: Self.notANumber)
        do {
            return Array(try encoder.encode(self))
        } catch { preconditionFailure("a status has a JSON form: \(error)") }
    }

    /// - Returns: nil for what is no status.
    package init?(json: [UInt8]) {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: Self.infinity, negativeInfinity: "-" + Self.infinity, nan: Self.notANumber)
        guard let status = try? decoder.decode(Self.self, from: Data(json)) else { return nil }
        self = status
    }

    private static let infinity = "Infinity"
    private static let notANumber = "NaN"
}
