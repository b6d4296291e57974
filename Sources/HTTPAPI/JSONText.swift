internal import Foundation

/// JSON as it is sent: keys sorted, so that equal answers are equal bytes.
enum JSONText {
    /// - Parameter value: without numbers that JSON does not have.
    static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(value))
        } catch {
            preconditionFailure("a value that JSON does not have: \(error)")
        }
    }
}
