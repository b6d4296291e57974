/// A regular expression as tokenizer.json has it, in the syntax of Oniguruma (with which it is meant to be read), and
/// the same one in the syntax of PCRE2. The part of the syntax in which the two agree or can be made to agree is
/// translated; anything else is refused by name rather than read wrongly.
struct OnigurumaExpression {
    /// What in the expression cannot be translated.
    struct Unsupported: Error {
        let feature: String
    }

    private let scalars: [Unicode.Scalar]
    private var index = 0
    private var output = String.UnicodeScalarView()
    private var isInClass = false

    /// The expression for PCRE2 with UTF, UCP and MULTILINE (Oniguruma's `^` and `$` are always those of lines).
    static func pcre2(_ expression: String) throws(Unsupported) -> String {
        var translation = OnigurumaExpression(expression)
        return try translation.translate()
    }

    private init(_ expression: String) {
        scalars = Array(expression.unicodeScalars)
    }

    private mutating func translate() throws(Unsupported) -> String {
        while index < scalars.count {
            switch scalars[index] {
            case "\\": try escape()
            case _ where isInClass: try classMember()
            case "[": try openClass()
            case "(": try group()
            case "{" where peek(1) == ",": throw Unsupported(feature: "{,n}")
            case "}" where peek(1) == "+": throw Unsupported(feature: "{n}+")
            default: copy(1)
            }
        }
        return String(output)
    }

    private func peek(_ distance: Int) -> Unicode.Scalar? {
        index + distance < scalars.count ? scalars[index + distance] : nil
    }

    private mutating func copy(_ count: Int) {
        output += scalars[index..<min(index + count, scalars.count)]
        index += count
    }

    private mutating func escape() throws(Unsupported) {
        guard let escaped = peek(1) else { throw Unsupported(feature: "\\ at the end") }
        switch escaped {
        case "s", "S":
            // PCRE2's \s takes U+180E for a space, Unicode and Oniguruma do not.
            output += "\\\(escaped == "s" ? "p" : "P"){White_Space}".unicodeScalars
            index += 2
        case "p", "P":
            try property()
        case "d", "D", "r", "n", "t", "f":
            copy(2)
        case "A", "z":
            guard !isInClass else { throw Unsupported(feature: "\\\(escaped) in a class") }
            copy(2)
        case _ where escaped.isASCII && (escaped.properties.isAlphabetic || escaped.properties.numericType != nil):
            throw Unsupported(feature: "\\\(escaped)")
        default:
            copy(2)
        }
    }

    /// `\p{L}`, `\p{Lu}`, `\p{^L}`: general categories alone mean the same in both.
    private mutating func property() throws(Unsupported) {
        let end = scalars[index...].firstIndex(of: "}") ?? scalars.count - 1
        let name = scalars[index...end].dropFirst(2)
        var letters = name.dropFirst().dropLast()
        if letters.first == "^" { letters = letters.dropFirst() }
        guard name.first == "{", name.last == "}",
            let major = letters.first, "CLMNPSZ".unicodeScalars.contains(major), letters.count <= 2,
            letters.dropFirst().allSatisfy({ "a"..."z" ~= $0 })
        else { throw Unsupported(feature: String(String.UnicodeScalarView(scalars[index...end]))) }
        copy(end + 1 - index)
    }

    private mutating func openClass() throws(Unsupported) {
        isInClass = true
        copy(peek(1) == "^" ? 2 : 1)
        if peek(0) == "]" { throw Unsupported(feature: "[] (an empty class)") }
    }

    private mutating func classMember() throws(Unsupported) {
        switch scalars[index] {
        case "[": throw Unsupported(feature: "[ inside a class")
        case "&" where peek(1) == "&": throw Unsupported(feature: "&& inside a class")
        case "]": isInClass = false
        default: break
        }
        copy(1)
    }

    private mutating func group() throws(Unsupported) {
        guard peek(1) == "?" || peek(1) == "*" else { return copy(1) }
        for opening in ["(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:"] {
            let scalarCount = opening.unicodeScalars.count
            if scalars[index...].prefix(scalarCount).elementsEqual(opening.unicodeScalars) { return copy(scalarCount) }
        }
        throw Unsupported(feature: String(String.UnicodeScalarView(scalars[index...].prefix(4))))
    }
}
