/// What template methods do to strings: by code points, as Python does, and never by canonical equivalence.
struct TemplateText {
    private let scalars: [Unicode.Scalar]

    init(_ text: String) {
        scalars = Array(text.unicodeScalars)
    }

    private init(_ scalars: ArraySlice<Unicode.Scalar>) {
        self.scalars = Array(scalars)
    }

    static func isWhiteSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || "\u{1C}"..."\u{1F}" ~= scalar
    }

    var count: Int { scalars.count }

    var string: String { String(String.UnicodeScalarView(scalars)) }

    func contains(_ other: TemplateText) -> Bool {
        firstIndex(of: other, from: 0) != nil
    }

    func hasPrefix(_ other: TemplateText) -> Bool { scalars.starts(with: other.scalars) }

    func hasSuffix(_ other: TemplateText) -> Bool { scalars.reversed().starts(with: other.scalars.reversed()) }

    /// The code points in `range`, which lies within 0..<count.
    func slice(_ range: Range<Int>) -> String { TemplateText(scalars[range]).string }

    /// The parts between the occurrences of `separator`, at most `limit` cuts.
    func split(by separator: TemplateText, limit: Int) -> [String] {
        var parts: [String] = []
        var start = 0
        while parts.count < limit, let match = firstIndex(of: separator, from: start) {
            parts.append(slice(start..<match))
            start = match + separator.count
        }
        return parts + [slice(start..<count)]
    }

    /// The words between runs of white space.
    func words() -> [String] {
        scalars.split(whereSeparator: Self.isWhiteSpace).map { TemplateText($0).string }
    }

    /// Without the given characters (none given: white space) at the chosen ends.
    func stripped(of characters: TemplateText?, start: Bool, end: Bool) -> String {
        let isStripped = { (scalar: Unicode.Scalar) in
            characters.map { $0.scalars.contains(scalar) } ?? Self.isWhiteSpace(scalar)
        }
        var rest = scalars[...]
        if start { rest = rest.drop(while: isStripped) }
        if end { while let last = rest.last, isStripped(last) { rest.removeLast() } }
        return TemplateText(rest).string
    }

    private func firstIndex(of other: TemplateText, from start: Int) -> Int? {
        guard let first = other.scalars.first else { return start }
        var index = start
        while index + other.count <= count {
            if scalars[index] == first, scalars[index..<index + other.count].elementsEqual(other.scalars) {
                return index
            }
            index += 1
        }
        return nil
    }
}
