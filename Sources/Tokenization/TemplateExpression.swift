/// A parsed expression of a template.
indirect enum TemplateExpression: Sendable {
    case literal(TemplateValue)
    case list([TemplateExpression])
    case dictionary([(key: TemplateExpression, value: TemplateExpression)])
    case name(String)
    case field(TemplateExpression, String)
    case element(TemplateExpression, TemplateExpression)
    case slice(TemplateExpression, from: TemplateExpression?, to: TemplateExpression?)
    case not(TemplateExpression)
    case negated(TemplateExpression)
    case binary(Operator, TemplateExpression, TemplateExpression)
    case conditional(condition: TemplateExpression, then: TemplateExpression, otherwise: TemplateExpression?)
    case test(TemplateExpression, name: String)
    case filter(TemplateExpression, name: String, Arguments)
    case function(String, Arguments)
    case method(TemplateExpression, name: String, Arguments)

    enum Operator: String, Sendable {
        case and, or, plus, minus, join
        case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
        case isIn, isNotIn
    }

    struct Arguments: Sendable {
        var positional: [TemplateExpression] = []
        var named: [(name: String, value: TemplateExpression)] = []
    }
}
