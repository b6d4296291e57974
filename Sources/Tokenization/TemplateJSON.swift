/// The JSON that the filter `tojson` writes in chat templates: as Python's `json.dumps` without ASCII escapes.
enum TemplateJSON {
    /// Nil for a value that JSON cannot have.
    static func text(of value: TemplateValue) -> String? {
        switch value {
        case .undefined, .namespace: return nil
        case .none: return "null"
        case .boolean(let value): return value ? "true" : "false"
        case .integer(let value): return String(value)
        case .string(let value): return quoted(value)
        case .list(let values):
            let parts = values.compactMap(text(of:))
            return parts.count == values.count ? "[\(parts.joined(separator: ", "))]" : nil
        case .mapping(let mapping):
            let parts = mapping.fields.compactMap { field in text(of: field.value).map { "\(quoted(field.key)): \($0)" }
            }
            return parts.count == mapping.count ? "{\(parts.joined(separator: ", "))}" : nil
        }
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\"".unicodeScalars
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += ["\\", scalar]
            case "\n": quoted += "\\n".unicodeScalars
            case "\r": quoted += "\\r".unicodeScalars
            case "\t": quoted += "\\t".unicodeScalars
            case "\u{8}": quoted += "\\b".unicodeScalars
            case "\u{C}": quoted += "\\f".unicodeScalars
            case "\u{0}"..."\u{1F}":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".unicodeScalars
            default: quoted.append(scalar)
            }
        }
        quoted.append("\"")
        return String(quoted)
    }
}
