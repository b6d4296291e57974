/// A JSON value as it was written: numbers keep their digits and objects their order, so that a config can be written
/// back with one member changed.
package indirect enum JSONValue: Equatable, Sendable {
    package struct Member: Equatable, Sendable {
        package let name: String
        package let value: JSONValue

        package init(name: String, value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    case null
    case bool(Bool)
    /// The digits as they stand in the file.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// What a message calls the value.
    var kindName: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let digits): digits
        case .string(let text): "\"\(text)\""
        case .array: "a list"
        case .object: "an object"
        }
    }

    /// The value if it is a whole number written without fraction or exponent.
    var integer: Int? {
        if case .number(let digits) = self { Int(digits) } else { nil }
    }

    /// The value if it is a finite number.
    var finiteNumber: Double? {
        guard case .number(let digits) = self, let value = Double(digits), value.isFinite else { return nil }
        return value
    }

    /// A copy of the object with the member replaced, added at the end, or removed (nil).
    func setting(_ name: String, to value: JSONValue?) -> JSONValue {
        guard case .object(var members) = self else { return self }
        let position = members.firstIndex { $0.name == name }
        if let position { members.remove(at: position) }
        if let value {
            members.insert(Member(name: name, value: value), at: position ?? members.endIndex)
        }
        return .object(members)
    }

    /// JSON text, indented by two spaces.
    func text(indentation: Int = 0) -> String {
        let inner = String(repeating: " ", count: indentation + 2)
        let close = "\n" + String(repeating: " ", count: indentation)
        switch self {
        case .null: return "null"
        case .bool(let value): return "\(value)"
        case .number(let digits): return digits
        case .string(let text): return Self.quoted(text)
        case .array(let elements):
            if elements.isEmpty { return "[]" }
            let lines = elements.map { inner + $0.text(indentation: indentation + 2) }
            return "[\n" + lines.joined(separator: ",\n") + close + "]"
        case .object(let members):
            if members.isEmpty { return "{}" }
            let lines = members.map {
                inner + Self.quoted($0.name) + ": " + $0.value.text(indentation: indentation + 2)
            }
            return "{\n" + lines.joined(separator: ",\n") + close + "}"
        }
    }

    /// The text as a JSON string, with its quotation marks.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case let control where control.value < 0x20:
                let digits = String(control.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
