/// Cuts the source of a template into tokens, with the white space rules that chat templates are written for:
/// `trim_blocks` and `lstrip_blocks` on, one line feed at the end of the source dropped.
struct TemplateLexer {
    private let source: [Unicode.Scalar]
    private var index = 0
    private var line = 1
    private var tokens: [TemplateToken] = []
    /// Whether the text now read begins a line: at the start of the source, and behind a tag that took its line feed.
    private var textBeginsLine = true

    /// The published templates have some 10 kB.
    static let maximumScalarCount = 1 << 20

    static func tokens(of source: String) throws(TemplateError) -> [TemplateToken] {
        guard source.unicodeScalars.count <= maximumScalarCount else {
            throw TemplateError(line: 1, what: "it has more than \(maximumScalarCount) characters")
        }
        var lexer = TemplateLexer(source)
        return try lexer.tokenize()
    }

    private init(_ source: String) {
        var scalars: [Unicode.Scalar] = []
        var previous: Unicode.Scalar?
        for scalar in source.unicodeScalars {
            if scalar == "\r" {
                scalars.append("\n")
            } else if scalar != "\n" || previous != "\r" {
                scalars.append(scalar)
            }
            previous = scalar
        }
        if scalars.last == "\n" { scalars.removeLast() }
        self.source = scalars
    }

    private mutating func tokenize() throws(TemplateError) -> [TemplateToken] {
        while index < source.count {
            text()
            guard let kind = peek(1) else { break }
            advance(by: peek(2) == "-" || peek(2) == "+" ? 3 : 2)
            switch kind {
            case "#": try comment()
            case "{": try tag(.outputStart, .outputEnd, "}")
            default: try tag(.blockStart, .blockEnd, "%")
            }
        }
        append(.end)
        return tokens
    }

    private func peek(_ distance: Int) -> Unicode.Scalar? {
        index + distance < source.count ? source[index + distance] : nil
    }

    private mutating func advance(by count: Int) {
        for scalar in source[index..<min(index + count, source.count)] where scalar == "\n" { line += 1 }
        index = min(index + count, source.count)
    }

    /// What every tag begins with.
    private static let brace: Unicode.Scalar = "\u{7B}"

    private mutating func append(_ kind: TemplateToken.Kind) {
        tokens.append(TemplateToken(kind: kind, line: line))
    }

    /// The text up to the next tag, less the white space that the tag takes away.
    private mutating func text() {
        var end = index
        while end < source.count, !isTagStart(end) { end += 1 }
        var text = source[index..<end]
        if end + 2 < source.count, source[end + 2] == "-" {
            while let last = text.last, TemplateText.isWhiteSpace(last) { text.removeLast() }
        } else if end + 2 < source.count, source[end + 1] != Self.brace, source[end + 2] != "+" {
            text = withoutIndentation(text)
        }
        if !text.isEmpty { append(.text(String(String.UnicodeScalarView(text)))) }
        advance(by: end - index)
    }

    private func isTagStart(_ position: Int) -> Bool {
        guard source[position] == Self.brace, position + 1 < source.count else { return false }
        return "{%#".unicodeScalars.contains(source[position + 1])
    }

    /// `lstrip_blocks`: a block that comes first on its line leaves no white space in front of it.
    private func withoutIndentation(_ text: ArraySlice<Unicode.Scalar>) -> ArraySlice<Unicode.Scalar> {
        let lineStart = text.lastIndex(of: "\n").map { $0 + 1 } ?? text.startIndex
        guard lineStart > text.startIndex || textBeginsLine,
            text[lineStart...].allSatisfy(TemplateText.isWhiteSpace)
        else { return text }
        return text[..<lineStart]
    }

    private mutating func comment() throws(TemplateError) {
        let start = line
        while let scalar = peek(0) {
            if (scalar == "-" || scalar == "+"), peek(1) == "#", peek(2) == "}" { return closeTag(signed: true) }
            if scalar == "#", peek(1) == "}" { return closeTag(signed: false) }
            advance(by: 1)
        }
        throw TemplateError(line: start, what: "a comment is not closed")
    }

    private mutating func tag(
        _ opening: TemplateToken.Kind, _ end: TemplateToken.Kind, _ closing: Unicode.Scalar
    ) throws(TemplateError) {
        let start = line
        append(opening)
        var depth = 0
        while let scalar = peek(0) {
            if depth == 0, isClosing(at: 0, closing) {
                append(end)
                return closeTag(signed: false, takesLineFeed: closing == "%")
            }
            if depth == 0, scalar == "-" || (scalar == "+" && closing == "%"), isClosing(at: 1, closing) {
                append(end)
                return closeTag(signed: true, takesLineFeed: closing == "%")
            }
            if "([{".unicodeScalars.contains(scalar) { depth += 1 }
            if ")]}".unicodeScalars.contains(scalar) { depth -= 1 }
            try word(scalar)
        }
        throw TemplateError(line: start, what: "a tag is not closed")
    }

    private func isClosing(at distance: Int, _ closing: Unicode.Scalar) -> Bool {
        peek(distance) == closing && peek(distance + 1) == "}"
    }

    /// Steps over the end of a tag and the white space that it takes: all with `-`, one line feed behind a block, none
    /// with `+` or behind an output.
    private mutating func closeTag(signed: Bool, takesLineFeed: Bool = true) {
        let takesAll = signed && peek(0) == "-"
        advance(by: signed ? 3 : 2)
        let start = index
        if takesAll {
            while let scalar = peek(0), TemplateText.isWhiteSpace(scalar) { advance(by: 1) }
        } else if takesLineFeed, !signed, peek(0) == "\n" {
            advance(by: 1)
        }
        textBeginsLine = index > start && source[index - 1] == "\n"
    }

    private mutating func word(_ first: Unicode.Scalar) throws(TemplateError) {
        switch first {
        case _ where TemplateText.isWhiteSpace(first):
            advance(by: 1)
        case "'", "\"":
            try string(quote: first)
        case "0"..."9":
            let digits = take { "0"..."9" ~= $0 }
            guard let value = Int(digits), peek(0) != "." else {
                throw TemplateError(line: line, what: "the number \(digits) is not a whole number in range")
            }
            append(.integer(value))
        case "a"..."z", "A"..."Z", "_":
            append(.name(take { "a"..."z" ~= $0 || "A"..."Z" ~= $0 || "0"..."9" ~= $0 || $0 == "_" }))
        default:
            try symbol(first)
        }
    }

    private mutating func take(while isPart: (Unicode.Scalar) -> Bool) -> String {
        let scalars = source[index...].prefix(while: isPart)
        advance(by: scalars.count)
        return String(String.UnicodeScalarView(scalars))
    }

    private mutating func symbol(_ first: Unicode.Scalar) throws(TemplateError) {
        let pair = String(String.UnicodeScalarView(source[index...].prefix(2)))
        let symbol = ["==", "!=", "<=", ">="].contains(pair) ? pair : String(first)
        guard symbol.count == 2 || "+-~|.,:()[]{}=<>".contains(symbol) else {
            throw TemplateError(line: line, what: "\(symbol.debugDescription) is not supported")
        }
        append(.symbol(symbol))
        advance(by: symbol.count)
    }

    private mutating func string(quote: Unicode.Scalar) throws(TemplateError) {
        let start = line
        advance(by: 1)
        var value = String.UnicodeScalarView()
        while let scalar = peek(0) {
            advance(by: 1)
            if scalar == quote {
                tokens.append(TemplateToken(kind: .string(String(value)), line: start))
                return
            }
            if scalar == "\\" {
                try value.append(escape())
            } else {
                value.append(scalar)
            }
        }
        throw TemplateError(line: start, what: "a string is not closed")
    }

    private mutating func escape() throws(TemplateError) -> Unicode.Scalar {
        let escaped = peek(0)
        advance(by: 1)
        switch escaped {
        case "n": return "\n"
        case "t": return "\t"
        case "r": return "\r"
        case "\\", "'", "\"": return escaped ?? "\\"
        case "u":
            let digits = String(String.UnicodeScalarView(source[index...].prefix(4)))
            advance(by: 4)
            if digits.count == 4, let code = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(code) {
                return scalar
            }
            throw TemplateError(line: line, what: "\\u\(digits) is no character")
        default:
            throw TemplateError(line: line, what: "the escape \\\(escaped.map(String.init) ?? "") is not supported")
        }
    }
}
