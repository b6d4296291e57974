/// A part of a parsed template, and the line it begins on.
struct TemplateStatement: Sendable {
    indirect enum Kind: Sendable {
        case text(String)
        case output(TemplateExpression)
        case set(Target, TemplateExpression)
        case choice(
            branches: [(condition: TemplateExpression, body: [TemplateStatement])], otherwise: [TemplateStatement])
        case loop(Loop)
    }

    enum Target: Sendable {
        case name(String)
        /// A field of a namespace.
        case field(String, of: String)
    }

    struct Loop: Sendable {
        let names: [String]
        let values: TemplateExpression
        let condition: TemplateExpression?
        let body: [TemplateStatement]
        /// For an empty list.
        let otherwise: [TemplateStatement]
    }

    let line: Int
    let kind: Kind
}
