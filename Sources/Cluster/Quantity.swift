/// Numbers with their units, read strictly: `256GiB`, `200GB/s`, `25Gb/s`, `90s`. No blanks, no sign, no unit left out.
package enum Quantity {
    /// Bytes: B, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024).
    /// - Parameter bareIsBytes: whether a whole number without a unit counts bytes, as on the command line.
    package static func bytes(_ text: String, bareIsBytes: Bool = false) throws(QuantityError) -> Int {
        if bareIsBytes, let count = Int(text), count > 0, text.utf8.allSatisfy(isDigit) { return count }
        let value = try scaled(text, units: byteUnits, expected: "a size such as 256GiB or 64GB")
        guard value == value.rounded(), value <= maximumBytes else {
            throw QuantityError(text: text, expected: "a size of whole bytes, at most \(Int(maximumBytes)) B")
        }
        return Int(value)
    }

    /// Bytes per second: the byte units above, and b, kb, Mb, Gb, Tb (bits), each with `/s`.
    package static func bytesPerSecond(_ text: String) throws(QuantityError) -> Double {
        let expected = "a rate such as 200GB/s (bytes) or 25Gb/s (bits)"
        guard text.hasSuffix("/s") else { throw QuantityError(text: text, expected: expected) }
        do {
            return try scaled(String(text.dropLast(2)), units: byteUnits + bitUnits, expected: expected)
        } catch { throw QuantityError(text: text, expected: expected) }
    }

    /// Milliseconds: ms, s, min, h.
    package static func milliseconds(_ text: String) throws(QuantityError) -> Int {
        let expected = "a time such as 90s, 500ms or 5min"
        let value = try scaled(text, units: timeUnits, expected: expected)
        guard value == value.rounded(), value <= maximumMilliseconds else {
            throw QuantityError(text: text, expected: "\(expected), of whole milliseconds, at most 7 days")
        }
        return Int(value)
    }

    /// Far above any host's memory, and exact in a Double.
    private static let maximumBytes = 0x1p52
    private static let maximumMilliseconds = 7.0 * 24 * 3600 * 1000

    private static let byteUnits: [(String, Double)] = [
        ("B", 1), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12),
        ("KiB", 0x1p10), ("MiB", 0x1p20), ("GiB", 0x1p30), ("TiB", 0x1p40),
    ]
    private static let bitUnits: [(String, Double)] = [
        ("b", 0.125), ("kb", 125), ("Mb", 125e3), ("Gb", 125e6), ("Tb", 125e9),
    ]
    private static let timeUnits: [(String, Double)] = [("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000)]

    private static func scaled(
        _ text: String, units: [(String, Double)], expected: String
    ) throws(QuantityError) -> Double {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text.dropFirst(number.count)
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }), let value = Double(number), value > 0,
            let scale = units.first(where: { $0.0 == unit })?.1, (value * scale).isFinite
        else { throw QuantityError(text: text, expected: expected) }
        return value * scale
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}

/// A text that is no quantity of the kind wanted.
package struct QuantityError: Error, Hashable, Sendable, CustomStringConvertible {
    package let text: String
    /// What would have been right, as in "a size such as 256GiB".
    package let expected: String

    package var description: String { "'\(text)' is not \(expected)" }
}
