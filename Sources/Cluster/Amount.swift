internal import Foundation

/// Numbers as people read them.
package enum Amount {
    /// Three digits and a decimal unit: "654 GB", "70.3 kB", "12 B".
    package static func bytes(_ count: Double) -> String {
        let units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)]
        guard let (unit, scale) = units.first(where: { count.magnitude >= $0.1 }) else {
            return "\(Int(count.rounded())) B"
        }
        return "\(decimal(count / scale)) \(unit)"
    }

    package static func bytes(_ count: Int) -> String { bytes(Double(count)) }

    package static func rate(_ bytesPerSecond: Double) -> String { "\(bytes(bytesPerSecond))/s" }

    package static func seconds(_ seconds: Double) -> String {
        if seconds >= 1 { return "\(decimal(seconds)) s" }
        return seconds >= 1e-3 ? "\(decimal(seconds * 1e3)) ms" : "\(decimal(seconds * 1e6)) us"
    }

    /// Two places below 10, one below 100, none above.
    static func decimal(_ value: Double) -> String {
        let places = value.magnitude < 9.995 ? 2 : value.magnitude < 99.95 ? 1 : 0
        return String(format: "%.\(places)f", value)
    }

    /// "70,272"
    package static func grouped(_ count: Int) -> String {
        let digits = String(count.magnitude)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.utf8.count - index).isMultiple(of: 3) { text.append(",") }
            text.append(digit)
        }
        return count < 0 ? "-" + text : text
    }

    /// "3-31" or "3".
    static func span(_ first: Int, _ last: Int) -> String {
        first == last ? grouped(first) : "\(grouped(first))-\(grouped(last))"
    }

    /// "1 worker", "64 workers"
    /// - Parameter plural: nil for the noun with an s.
    static func count(_ count: Int, _ noun: String, _ plural: String? = nil) -> String {
        "\(grouped(count)) \(count == 1 ? noun : plural ?? noun + "s")"
    }
}
