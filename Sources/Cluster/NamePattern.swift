/// A name or host that may stand for many: `worker-[1-64]`, `10.0.0.[11-26]`, `rack-[01-16]` (leading zeros are kept).
struct NamePattern {
    /// One text per number of the range; one text where there is no range.
    let texts: [String]
    let hasRange: Bool

    /// - Parameter maximumCount: the longest range taken.
    init(_ text: String, maximumCount: Int) throws(QuantityError) {
        guard let open = text.firstIndex(where: { $0 == "[" || $0 == "]" }) else {
            texts = [text]
            hasRange = false
            return
        }
        let expected = "a name with at most one range, such as worker-[1-64], of at most \(maximumCount)"
        let head = text[..<open]
        let inner = text[open...].dropFirst().prefix { $0 != "]" }
        let tail = text[inner.endIndex...].dropFirst()
        let bounds = inner.split(separator: "-", omittingEmptySubsequences: false)
        guard text[open] == "[", inner.endIndex < text.endIndex, !tail.contains(where: { "[]".contains($0) }),
            bounds.count == 2, bounds.allSatisfy({ (1...9).contains($0.utf8.count) }),
            bounds.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } }),
            let first = Int(bounds[0]), let last = Int(bounds[1]), first <= last, last - first < maximumCount
        else { throw QuantityError(text: text, expected: expected) }
        let width = bounds[0].hasPrefix("0") ? bounds[0].utf8.count : 1
        texts = (first...last).map { number in
            let digits = String(number)
            return "\(head)\(String(repeating: "0", count: max(0, width - digits.utf8.count)))\(digits)\(tail)"
        }
        hasRange = true
    }
}
