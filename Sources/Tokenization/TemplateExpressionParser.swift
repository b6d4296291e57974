/// Parses expressions by precedence: conditional, or, and, not, comparison, plus and minus, join, and what binds
/// tightest.
struct TemplateExpressionParser {
    private let tokens: [TemplateToken]
    private var index = 0
    private var depth = 0
    private var operatorCount = 0

    /// Brackets within brackets, and operators of one tag: they bound the depth of the parsed tree.
    static let maximumDepth = 50
    static let maximumOperatorCount = 500

    init(tokens: [TemplateToken]) {
        self.tokens = tokens
    }

    mutating func expression() throws(TemplateError) -> TemplateExpression {
        depth += 1
        defer { depth -= 1 }
        if depth == 1 { operatorCount = 0 }
        guard depth <= Self.maximumDepth else { throw failure("an expression is nested too deeply") }
        let value = try unconditional()
        guard takeName("if") else { return value }
        let condition = try unconditional()
        let otherwise = takeName("else") ? try expression() : nil
        return .conditional(condition: condition, then: value, otherwise: otherwise)
    }

    /// An expression without `if` behind it, as the list of a `for` is.
    mutating func unconditional() throws(TemplateError) -> TemplateExpression {
        var left = try conjunction()
        while takeName("or") { left = try binary(.or, left, conjunction()) }
        return left
    }

    private mutating func conjunction() throws(TemplateError) -> TemplateExpression {
        var left = try negation()
        while takeName("and") { left = try binary(.and, left, negation()) }
        return left
    }

    private mutating func negation() throws(TemplateError) -> TemplateExpression {
        guard takeName("not") else { return try comparison() }
        try countOperator()
        return .not(try negation())
    }

    private mutating func comparison() throws(TemplateError) -> TemplateExpression {
        let left = try sum()
        guard let kind = comparisonOperator() else { return left }
        let compared = try binary(kind, left, sum())
        guard comparisonOperator() == nil else { throw failure("a chain of comparisons is not supported") }
        return compared
    }

    private mutating func comparisonOperator() -> TemplateExpression.Operator? {
        let operators: [(String, TemplateExpression.Operator)] = [
            ("==", .equal), ("!=", .notEqual), ("<=", .lessOrEqual), (">=", .greaterOrEqual), ("<", .less),
            (">", .greater),
        ]
        for (symbol, kind) in operators where take(symbol) { return kind }
        if takeName("in") { return .isIn }
        if peek(0) == .name("not"), peek(1) == .name("in") {
            index += 2
            return .isNotIn
        }
        return nil
    }

    private mutating func sum() throws(TemplateError) -> TemplateExpression {
        var left = try joined()
        while true {
            if take("+") {
                left = try binary(.plus, left, joined())
            } else if take("-") {
                left = try binary(.minus, left, joined())
            } else {
                return left
            }
        }
    }

    private mutating func joined() throws(TemplateError) -> TemplateExpression {
        var left = try unary()
        while take("~") { left = try binary(.join, left, unary()) }
        return left
    }

    private mutating func unary() throws(TemplateError) -> TemplateExpression {
        if take("-") {
            try countOperator()
            return .negated(try unary())
        }
        var value = try primary()
        while let longer = try suffix(of: value) {
            try countOperator()
            value = longer
        }
        return value
    }

    private mutating func binary(
        _ kind: TemplateExpression.Operator, _ left: TemplateExpression, _ right: TemplateExpression
    ) throws(TemplateError) -> TemplateExpression {
        try countOperator()
        return .binary(kind, left, right)
    }

    private mutating func countOperator() throws(TemplateError) {
        operatorCount += 1
        guard operatorCount <= Self.maximumOperatorCount else { throw failure("an expression is too long") }
    }

    /// `value` with a field, an element, a call, a filter or a test behind it; nil where none follows.
    private mutating func suffix(of value: TemplateExpression) throws(TemplateError) -> TemplateExpression? {
        if take(".") {
            let field = try name()
            return take("(") ? .method(value, name: field, try arguments()) : .field(value, field)
        }
        if take("[") { return try subscripted(value) }
        if take("(") {
            guard case .name(let function) = value else { throw failure("this cannot be called") }
            return .function(function, try arguments())
        }
        if take("|") {
            let filter = try name()
            return .filter(value, name: filter, take("(") ? try arguments() : TemplateExpression.Arguments())
        }
        if takeName("is") {
            let isNegated = takeName("not")
            let test = TemplateExpression.test(value, name: try name())
            return isNegated ? .not(test) : test
        }
        return nil
    }

    private mutating func subscripted(_ value: TemplateExpression) throws(TemplateError) -> TemplateExpression {
        let first = peek(0) == .symbol(":") ? nil : try expression()
        guard take(":") else {
            try expect(.symbol("]"))
            return .element(value, first ?? .literal(.none))
        }
        let last = peek(0) == .symbol("]") ? nil : try expression()
        try expect(.symbol("]"))
        return .slice(value, from: first, to: last)
    }

    private mutating func arguments() throws(TemplateError) -> TemplateExpression.Arguments {
        var arguments = TemplateExpression.Arguments()
        while !take(")") {
            if case .name(let name) = peek(0), peek(1) == .symbol("=") {
                index += 2
                arguments.named.append((name, try expression()))
            } else if arguments.named.isEmpty {
                arguments.positional.append(try expression())
            } else {
                throw failure("an argument without a name follows one with a name")
            }
            if peek(0) != .symbol(")") { try expect(.symbol(",")) }
        }
        return arguments
    }

    private mutating func primary() throws(TemplateError) -> TemplateExpression {
        let token = next()
        switch token.kind {
        case .integer(let value): return .literal(.integer(value))
        case .string(var value):
            while case .string(let more) = peek(0) {
                value += more
                index += 1
            }
            return .literal(.string(value))
        case .name("true"), .name("True"): return .literal(.boolean(true))
        case .name("false"), .name("False"): return .literal(.boolean(false))
        case .name("none"), .name("None"): return .literal(.none)
        case .name(let name): return .name(name)
        case .symbol("("):
            let value = try expression()
            try expect(.symbol(")"))
            return value
        case .symbol("["): return .list(try elements())
        case .symbol("{"): return .dictionary(try entries())
        default:
            index -= 1
            throw failure("an expression is expected")
        }
    }

    private mutating func elements() throws(TemplateError) -> [TemplateExpression] {
        var elements: [TemplateExpression] = []
        while !take("]") {
            elements.append(try expression())
            if peek(0) != .symbol("]") { try expect(.symbol(",")) }
        }
        return elements
    }

    private mutating func entries() throws(TemplateError) -> [(key: TemplateExpression, value: TemplateExpression)] {
        var entries: [(key: TemplateExpression, value: TemplateExpression)] = []
        while !take("}") {
            let key = try expression()
            try expect(.symbol(":"))
            entries.append((key, try expression()))
            if peek(0) != .symbol("}") { try expect(.symbol(",")) }
        }
        return entries
    }
}

extension TemplateExpressionParser {
    /// The next token, the end of the template again and again.
    mutating func next() -> TemplateToken {
        let token = tokens[min(index, tokens.count - 1)]
        index += 1
        return token
    }

    mutating func name() throws(TemplateError) -> String {
        guard case .name(let name) = next().kind else {
            index -= 1
            throw failure("a name is expected")
        }
        return name
    }

    mutating func expect(_ kind: TemplateToken.Kind) throws(TemplateError) {
        guard peek(0) == kind else { throw failure("\(Self.text(kind)) is expected") }
        index += 1
    }

    mutating func take(_ symbol: String) -> Bool {
        guard peek(0) == .symbol(symbol) else { return false }
        index += 1
        return true
    }

    mutating func takeName(_ name: String) -> Bool {
        guard peek(0) == .name(name) else { return false }
        index += 1
        return true
    }

    /// An error at the token that comes next.
    func failure(_ what: String) -> TemplateError {
        let token = tokens[min(index, tokens.count - 1)]
        return TemplateError(line: token.line, what: "\(what), at \(Self.text(token.kind))")
    }

    private func peek(_ distance: Int) -> TemplateToken.Kind {
        tokens[min(index + distance, tokens.count - 1)].kind
    }

    private static func text(_ kind: TemplateToken.Kind) -> String {
        switch kind {
        case .text: "text"
        case .outputStart: "{{"
        case .outputEnd: "}}"
        case .blockStart: "{%"
        case .blockEnd: "%}"
        case .name(let name): name
        case .string(let value): value.debugDescription
        case .integer(let value): String(value)
        case .symbol(let symbol): symbol
        case .end: "the end of the template"
        }
    }
}
