/// A value inside a chat template.
package enum TemplateValue: Sendable, Equatable {
    /// A name or field that nothing was given for.
    case undefined(String)
    case none
    case boolean(Bool)
    case integer(Int)
    case string(String)
    case list([TemplateValue])
    case mapping(TemplateMapping)
    /// What `namespace()` made, by number: the one kind of value that is changed in place.
    case namespace(Int)

    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .boolean(let value): value
        case .integer(let value): value != 0
        case .string(let value): !value.isEmpty
        case .list(let values): !values.isEmpty
        case .mapping(let mapping): mapping.count > 0
        case .namespace: true
        }
    }

    /// The name of the kind, for messages.
    var kind: String {
        switch self {
        case .undefined(let name): "undefined (\(name))"
        case .none: "none"
        case .boolean: "a boolean"
        case .integer: "an integer"
        case .string: "a string"
        case .list: "a list"
        case .mapping: "a mapping"
        case .namespace: "a namespace"
        }
    }

    /// What `{{ value }}` writes; nil for what has no plain text.
    var text: String? {
        switch self {
        case .undefined: ""
        case .none: "None"
        case .boolean(let value): value ? "True" : "False"
        case .integer(let value): String(value)
        case .string(let value): value
        case .list, .mapping, .namespace: nil
        }
    }

    /// Equality as templates have it: strings by their code points, not by what they look like.
    package static func == (left: TemplateValue, right: TemplateValue) -> Bool {
        switch (left, right) {
        case (.undefined, .undefined), (.none, .none): true
        case (.boolean(let left), .boolean(let right)): left == right
        case (.integer(let left), .integer(let right)): left == right
        case (.boolean(let boolean), .integer(let integer)), (.integer(let integer), .boolean(let boolean)):
            integer == (boolean ? 1 : 0)
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        case (.list(let left), .list(let right)): left == right
        case (.mapping(let left), .mapping(let right)): left == right
        case (.namespace(let left), .namespace(let right)): left == right
        default: false
        }
    }
}
