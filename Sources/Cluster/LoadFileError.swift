/// What is wrong with a file of load statistics or of a placement, in which field, and how to mend it.
package struct LoadFileError: Error, Hashable, Sendable {
    package enum Problem: Error, Hashable, Sendable {
        case syntax(reason: String)
        case otherFormat(found: String)
        case otherVersion(found: Int, known: Int)
        case missing(field: String)
        case wrongType(field: String, expected: String)
        case invalid(field: String, value: String, expected: String)
        case wrongCount(field: String, found: Int, expected: Int)
        /// Two records, or a record and the running model, that do not belong together.
        case otherModel(field: String)
    }

    /// nil where two values in memory do not fit each other.
    package let file: String?
    package let problem: Problem
}

extension LoadFileError: CustomStringConvertible {
    package var description: String { "\(file ?? "the load statistics"): \(what)" }

    private var what: String {
        switch problem {
        case .syntax(let reason):
            "not valid JSON (\(reason)): record the file again"
        case .otherFormat(let found):
            "'format' is '\(found)': name a file that 'cohort rebalance --record' wrote"
        case .otherVersion(let found, let known):
            "'version' is \(found), and this program reads \(known): record the file again"
        case .missing(let field):
            "lacks '\(field)': record the file again"
        case .wrongType(let field, let expected):
            "'\(field)' is no \(expected): record the file again"
        case .invalid(let field, let value, let expected):
            "'\(field)' is \(value): give \(expected)"
        case .wrongCount(let field, let found, let expected):
            "'\(field)' has \(found) entries: give \(expected)"
        case .otherModel(let field):
            "'\(field)' differs, so this is the record of another model: record it with the model that runs"
        }
    }
}

extension LoadFileError.Problem {
    /// The same of a field that stands inside another one.
    func inside(_ outer: String) -> Self {
        switch self {
        case .missing(let field): .missing(field: "\(outer).\(field)")
        case .wrongType(let field, let expected): .wrongType(field: "\(outer).\(field)", expected: expected)
        case .invalid(let field, let value, let expected):
            .invalid(field: "\(outer).\(field)", value: value, expected: expected)
        case .wrongCount(let field, let found, let expected):
            .wrongCount(field: "\(outer).\(field)", found: found, expected: expected)
        case .otherModel(let field): .otherModel(field: "\(outer).\(field)")
        case .syntax, .otherFormat, .otherVersion: self
        }
    }
}
