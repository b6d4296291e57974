/// Parses the statements of a template; `TemplateExpressionParser` does what stands inside the tags.
struct TemplateParser {
    private var expressions: TemplateExpressionParser
    private var depth = 0

    /// Blocks within blocks.
    static let maximumDepth = 50

    init(tokens: [TemplateToken]) {
        expressions = TemplateExpressionParser(tokens: tokens)
    }

    mutating func parse() throws(TemplateError) -> [TemplateStatement] {
        let (statements, end) = try statements(until: [])
        precondition(end.isEmpty, "only the end of the template ends the outermost statements")
        return statements
    }

    /// The statements up to one of the block names in `ends`, which is consumed with its opening of the tag, or up to
    /// the end of the template where none is given.
    private mutating func statements(
        until ends: [String]
    ) throws(TemplateError) -> (statements: [TemplateStatement], end: String) {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else { throw expressions.failure("blocks are nested too deeply") }
        var statements: [TemplateStatement] = []
        while true {
            let token = expressions.next()
            switch token.kind {
            case .text(let text):
                statements.append(TemplateStatement(line: token.line, kind: .text(text)))
            case .outputStart:
                statements.append(TemplateStatement(line: token.line, kind: .output(try expressions.expression())))
                try expressions.expect(.outputEnd)
            case .blockStart:
                let name = try expressions.name()
                if ends.contains(name) { return (statements, name) }
                statements.append(TemplateStatement(line: token.line, kind: try block(name)))
            case .end where ends.isEmpty:
                return (statements, "")
            default:
                throw expressions.failure("the template ends, or \(ends.joined(separator: " or ")) is missing")
            }
        }
    }

    private mutating func block(_ name: String) throws(TemplateError) -> TemplateStatement.Kind {
        switch name {
        case "set": return try set()
        case "if": return try choice()
        case "for": return try loop()
        default: throw expressions.failure("the statement \(name) is not supported here")
        }
    }

    private mutating func set() throws(TemplateError) -> TemplateStatement.Kind {
        let name = try expressions.name()
        var target = TemplateStatement.Target.name(name)
        if expressions.take(".") { target = .field(try expressions.name(), of: name) }
        try expressions.expect(.symbol("="))
        let value = try expressions.expression()
        try expressions.expect(.blockEnd)
        return .set(target, value)
    }

    private mutating func choice() throws(TemplateError) -> TemplateStatement.Kind {
        var branches: [(condition: TemplateExpression, body: [TemplateStatement])] = []
        while true {
            let condition = try expressions.expression()
            try expressions.expect(.blockEnd)
            let (body, end) = try statements(until: ["elif", "else", "endif"])
            branches.append((condition, body))
            switch end {
            case "elif": continue
            case "else":
                try expressions.expect(.blockEnd)
                let otherwise = try statements(until: ["endif"]).statements
                try expressions.expect(.blockEnd)
                return .choice(branches: branches, otherwise: otherwise)
            default:
                try expressions.expect(.blockEnd)
                return .choice(branches: branches, otherwise: [])
            }
        }
    }

    private mutating func loop() throws(TemplateError) -> TemplateStatement.Kind {
        var names = [try expressions.name()]
        while expressions.take(",") { names.append(try expressions.name()) }
        try expressions.expect(.name("in"))
        let values = try expressions.unconditional()
        let condition = expressions.takeName("if") ? try expressions.expression() : nil
        try expressions.expect(.blockEnd)
        var (body, end) = try statements(until: ["else", "endfor"])
        var otherwise: [TemplateStatement] = []
        if end == "else" {
            try expressions.expect(.blockEnd)
            (otherwise, end) = try statements(until: ["endfor"])
        }
        try expressions.expect(.blockEnd)
        return .loop(
            TemplateStatement.Loop(
                names: names, values: values, condition: condition, body: body, otherwise: otherwise))
    }
}
