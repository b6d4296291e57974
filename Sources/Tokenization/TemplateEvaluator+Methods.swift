extension TemplateEvaluator {
    /// `value is name`.
    func test(_ value: TemplateValue, _ name: String) throws(TemplateError) -> Bool {
        switch (name, value) {
        case ("defined", .undefined): return false
        case ("defined", _): return true
        case ("undefined", .undefined): return true
        case ("none", .none): return true
        case ("string", .string): return true
        case ("boolean", .boolean): return true
        case ("integer", .integer), ("number", .integer), ("number", .boolean): return true
        case ("mapping", .mapping): return true
        case ("sequence", .list), ("sequence", .string), ("sequence", .mapping): return true
        case ("iterable", .list), ("iterable", .string), ("iterable", .mapping), ("iterable", .undefined): return true
        case ("true", .boolean(let boolean)): return boolean
        case ("false", .boolean(let boolean)): return !boolean
        case ("undefined", _), ("none", _), ("string", _), ("boolean", _), ("integer", _), ("number", _),
            ("mapping", _), ("sequence", _), ("iterable", _), ("true", _), ("false", _):
            return false
        default: throw failure("the test \(name) is not supported")
        }
    }

    /// `value | name(arguments)`.
    mutating func filter(
        _ value: TemplateValue, _ name: String, _ arguments: [TemplateValue]
    ) throws(TemplateError) -> TemplateValue {
        switch (name, value, arguments.count) {
        case ("default", .undefined, 1), ("d", .undefined, 1): return arguments[0]
        case ("default", _, 1), ("d", _, 1): return value
        case (_, .undefined(let missing), _): throw failure("\(missing) is undefined")
        case ("trim", .string, 0): return try method("strip", of: value, [])
        case ("upper", .string, 0), ("lower", .string, 0): return try method(name, of: value, [])
        case ("length", _, 0), ("count", _, 0): return .integer(try count(of: value))
        case ("string", _, 0):
            guard let text = value.text else { throw failure("\(value.kind) cannot be written as text") }
            return .string(text)
        case ("first", .list(let values), 0): return values.first ?? .undefined("the first element")
        case ("last", .list(let values), 0): return values.last ?? .undefined("the last element")
        case ("list", .list, 0): return value
        case ("join", .list(let values), 0...1): return try joined(values, by: arguments.first ?? .string(""))
        case ("tojson", _, 0):
            guard let json = TemplateJSON.text(of: value) else { throw failure("\(value.kind) has no JSON") }
            try spend(byteCount: json.utf8.count)
            return .string(json)
        default: throw failure("the filter \(name) is not supported for \(value.kind)")
        }
    }

    /// `value.name(arguments)`.
    mutating func method(
        _ name: String, of value: TemplateValue, _ arguments: [TemplateValue]
    ) throws(TemplateError) -> TemplateValue {
        switch value {
        case .string(let text):
            try spend(byteCount: text.utf8.count)
            return try method(name, of: text, arguments)
        case .mapping(let mapping):
            return try method(name, of: mapping, arguments)
        case .undefined(let missing):
            throw failure("\(missing) is undefined")
        default:
            throw failure("\(value.kind) has no method \(name)")
        }
    }

    private func method(
        _ name: String, of text: String, _ arguments: [TemplateValue]
    ) throws(TemplateError) -> TemplateValue {
        switch (name, arguments.count) {
        case ("strip", 0...1), ("lstrip", 0...1), ("rstrip", 0...1):
            let characters = arguments.isEmpty || arguments[0] == .none ? nil : try self.text(arguments[0], name)
            return .string(
                TemplateText(text).stripped(of: characters, start: name != "rstrip", end: name != "lstrip"))
        case ("split", 0): return .list(TemplateText(text).words().map(TemplateValue.string))
        case ("split", 1...2): return .list(try parts(of: text, arguments))
        case ("startswith", 1): return .boolean(TemplateText(text).hasPrefix(try self.text(arguments[0], name)))
        case ("endswith", 1): return .boolean(TemplateText(text).hasSuffix(try self.text(arguments[0], name)))
        case ("upper", 0): return .string(text.uppercased())
        case ("lower", 0): return .string(text.lowercased())
        default: throw failure("the method \(name) with \(arguments.count) arguments is not supported for a string")
        }
    }

    private func parts(of text: String, _ arguments: [TemplateValue]) throws(TemplateError) -> [TemplateValue] {
        let separator = try self.text(arguments[0], "split")
        guard separator.count > 0 else { throw failure("split() needs a separator that is not empty") }
        var limit = Int.max
        if arguments.count == 2 {
            guard case .integer(let count) = arguments[1] else { throw failure("split() needs an integer limit") }
            limit = count < 0 ? .max : count
        }
        return TemplateText(text).split(by: separator, limit: limit).map(TemplateValue.string)
    }

    private func method(
        _ name: String, of mapping: TemplateMapping, _ arguments: [TemplateValue]
    ) throws(TemplateError) -> TemplateValue {
        switch (name, arguments.count) {
        case ("get", 1...2):
            guard case .string(let key) = arguments[0] else { throw failure("get() needs a string") }
            return mapping[key] ?? (arguments.count == 2 ? arguments[1] : .none)
        case ("items", 0):
            return .list(mapping.fields.map { .list([.string($0.key), $0.value]) })
        default:
            throw failure("the method \(name) with \(arguments.count) arguments is not supported for a mapping")
        }
    }

    private func text(_ value: TemplateValue, _ method: String) throws(TemplateError) -> TemplateText {
        guard case .string(let text) = value else { throw failure("\(method)() needs a string") }
        return TemplateText(text)
    }

    private func count(of value: TemplateValue) throws(TemplateError) -> Int {
        switch value {
        case .string(let text): return text.unicodeScalars.count
        case .list(let values): return values.count
        case .mapping(let mapping): return mapping.count
        default: throw failure("\(value.kind) has no length")
        }
    }

    private mutating func joined(
        _ values: [TemplateValue], by separator: TemplateValue
    ) throws(TemplateError) -> TemplateValue {
        var texts: [String] = []
        guard let between = separator.text else { throw failure("join() needs a plain separator") }
        for value in values {
            guard let text = value.text else { throw failure("\(value.kind) cannot be written as text") }
            try spend(byteCount: text.utf8.count + between.utf8.count)
            texts.append(text)
        }
        return .string(texts.joined(separator: between))
    }
}
