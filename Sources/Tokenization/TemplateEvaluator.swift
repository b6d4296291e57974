/// Gives the values of expressions, and holds the names, the namespaces and the budget of one rendering.
struct TemplateEvaluator {
    /// Innermost last; a round of a loop has its own.
    var scopes: [[String: TemplateValue]]
    /// The line of the statement being run.
    var line = 1
    private var namespaces: [[String: TemplateValue]] = []
    private var stepsLeft = maximumStepCount
    private var bytesLeft = maximumByteCount

    /// Expressions and rounds of one rendering: a thousand messages take some 50,000.
    static let maximumStepCount = 1_000_000
    /// Bytes of all strings made on the way, the output included: some five times the size of the messages.
    static let maximumByteCount = 1 << 27

    init(globals: [String: TemplateValue]) {
        scopes = [globals]
    }

    mutating func value(of expression: TemplateExpression) throws(TemplateError) -> TemplateValue {
        try spend()
        switch expression {
        case .literal(let value):
            return value
        case .list(let elements):
            return .list(try values(of: elements))
        case .dictionary(let entries):
            return .mapping(try mapping(entries))
        case .name(let name):
            return scopes.last { $0[name] != nil }?[name] ?? .undefined(name)
        case .field(let owner, let field):
            return try self.field(field, of: try value(of: owner))
        case .element(let owner, let index):
            return try element(of: try value(of: owner), at: try value(of: index))
        case .slice(let owner, let from, let to):
            return try slice(of: try value(of: owner), from: try integer(from), to: try integer(to))
        case .not(let operand):
            return .boolean(!(try value(of: operand).isTrue))
        case .negated(let operand):
            return try negated(try value(of: operand))
        case .binary(let kind, let left, let right):
            return try binary(kind, left, right)
        case .conditional(let condition, let then, let otherwise):
            if try value(of: condition).isTrue { return try value(of: then) }
            return try otherwise.map { other throws(TemplateError) in try value(of: other) } ?? .undefined("if")
        case .test(let operand, let name):
            return .boolean(try test(try value(of: operand), name))
        case .filter(let operand, let name, let arguments):
            return try filter(try value(of: operand), name, try values(of: arguments.positional))
        case .function(let name, let arguments):
            return try call(name, arguments)
        case .method(let owner, let name, let arguments):
            guard arguments.named.isEmpty else { throw failure("\(name)() takes no arguments by name") }
            return try method(name, of: try value(of: owner), try values(of: arguments.positional))
        }
    }

    func failure(_ what: String) -> TemplateError {
        TemplateError(line: line, what: what)
    }

    /// Counts one step, and the bytes of a string about to be made.
    mutating func spend(byteCount: Int = 0) throws(TemplateError) {
        stepsLeft -= 1
        bytesLeft -= byteCount
        guard stepsLeft >= 0 else { throw failure("it takes more than \(Self.maximumStepCount) steps") }
        guard bytesLeft >= 0 else { throw failure("it makes more than \(Self.maximumByteCount) bytes of text") }
    }

    mutating func set(_ target: TemplateStatement.Target, to value: TemplateValue) throws(TemplateError) {
        switch target {
        case .name(let name):
            scopes[scopes.count - 1][name] = value
        case .field(let field, let owner):
            guard case .namespace(let number) = try self.value(of: .name(owner)) else {
                throw failure("\(owner) is not a namespace")
            }
            namespaces[number][field] = value
        }
    }

    /// What a `for` goes through.
    func elements(of value: TemplateValue) throws(TemplateError) -> [TemplateValue] {
        switch value {
        case .list(let values): return values
        case .mapping(let mapping): return mapping.fields.map { .string($0.key) }
        case .undefined: return []
        default: throw failure("\(value.kind) is not a list")
        }
    }

    private mutating func values(of expressions: [TemplateExpression]) throws(TemplateError) -> [TemplateValue] {
        var values: [TemplateValue] = []
        for expression in expressions { values.append(try value(of: expression)) }
        return values
    }

    private mutating func mapping(
        _ entries: [(key: TemplateExpression, value: TemplateExpression)]
    ) throws(TemplateError) -> TemplateMapping {
        var fields = TemplateMapping([])
        for entry in entries {
            guard case .string(let key) = try value(of: entry.key) else { throw failure("a key is not a string") }
            fields[key] = try value(of: entry.value)
        }
        return fields
    }

    private func field(_ field: String, of owner: TemplateValue) throws(TemplateError) -> TemplateValue {
        switch owner {
        case .undefined(let name): throw failure("\(name) is undefined")
        case .mapping(let mapping): return mapping[field] ?? .undefined(field)
        case .namespace(let number): return namespaces[number][field] ?? .undefined(field)
        default: return .undefined(field)
        }
    }

    private func element(of owner: TemplateValue, at index: TemplateValue) throws(TemplateError) -> TemplateValue {
        switch (owner, index) {
        case (_, .string(let key)):
            return try field(key, of: owner)
        case (.list(let values), .integer(let index)):
            let position = index < 0 ? values.count + index : index
            return values.indices.contains(position) ? values[position] : .undefined("element \(index)")
        case (.string(let text), .integer(let index)):
            let text = TemplateText(text)
            let position = index < 0 ? text.count + index : index
            guard position >= 0, position < text.count else { return .undefined("element \(index)") }
            return .string(text.slice(position..<position + 1))
        case (.undefined(let name), _):
            throw failure("\(name) is undefined")
        default:
            return .undefined("element")
        }
    }

    private mutating func integer(_ expression: TemplateExpression?) throws(TemplateError) -> Int? {
        guard let expression else { return nil }
        guard case .integer(let value) = try value(of: expression) else { throw failure("a slice needs integers") }
        return value
    }

    private mutating func slice(of owner: TemplateValue, from: Int?, to: Int?) throws(TemplateError) -> TemplateValue {
        func range(_ count: Int) -> Range<Int> {
            let clamp = { (index: Int) in min(max(index < 0 ? index + count : index, 0), count) }
            let start = clamp(from ?? 0)
            return start..<max(start, clamp(to ?? count))
        }
        switch owner {
        case .list(let values):
            return .list(Array(values[range(values.count)]))
        case .string(let text):
            try spend(byteCount: text.utf8.count)
            let text = TemplateText(text)
            return .string(text.slice(range(text.count)))
        default:
            throw failure("\(owner.kind) has no slices")
        }
    }

    private func negated(_ value: TemplateValue) throws(TemplateError) -> TemplateValue {
        guard case .integer(let integer) = value, integer != .min else { throw failure("- needs an integer") }
        return .integer(-integer)
    }

    private mutating func call(
        _ name: String, _ arguments: TemplateExpression.Arguments
    ) throws(TemplateError) -> TemplateValue {
        switch name {
        case "namespace":
            var fields: [String: TemplateValue] = [:]
            for argument in arguments.named { fields[argument.name] = try value(of: argument.value) }
            guard arguments.positional.isEmpty else { throw failure("namespace() takes arguments by name alone") }
            namespaces.append(fields)
            return .namespace(namespaces.count - 1)
        case "raise_exception":
            let message = try arguments.positional.first.map { first throws(TemplateError) in try value(of: first) }
            throw failure(message?.text ?? "it refuses these messages")
        default:
            throw failure("the function \(name) is not supported")
        }
    }
}
