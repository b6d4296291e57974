/// Runs the statements of a template.
struct TemplateRenderer {
    private var evaluator: TemplateEvaluator
    private var output = ""

    init(globals: [String: TemplateValue]) {
        evaluator = TemplateEvaluator(globals: globals)
    }

    mutating func render(_ statements: [TemplateStatement]) throws(TemplateError) -> String {
        try run(statements)
        return output
    }

    private mutating func run(_ statements: [TemplateStatement]) throws(TemplateError) {
        for statement in statements {
            evaluator.line = statement.line
            try run(statement)
        }
    }

    private mutating func run(_ statement: TemplateStatement) throws(TemplateError) {
        switch statement.kind {
        case .text(let text):
            try evaluator.spend(byteCount: text.utf8.count)
            output += text
        case .output(let expression):
            let value = try evaluator.value(of: expression)
            guard let text = value.text else { throw evaluator.failure("\(value.kind) cannot be written as text") }
            try evaluator.spend(byteCount: text.utf8.count)
            output += text
        case .set(let target, let expression):
            try evaluator.set(target, to: try evaluator.value(of: expression))
        case .choice(let branches, let otherwise):
            for branch in branches where try evaluator.value(of: branch.condition).isTrue {
                return try run(branch.body)
            }
            try run(otherwise)
        case .loop(let loop):
            try run(loop)
        }
    }

    private mutating func run(_ loop: TemplateStatement.Loop) throws(TemplateError) {
        let line = evaluator.line
        var rounds: [[String: TemplateValue]] = []
        for element in try evaluator.elements(of: try evaluator.value(of: loop.values)) {
            let names = try bind(element, to: loop.names)
            evaluator.scopes.append(names)
            let isWanted = try loop.condition.map { condition throws(TemplateError) in
                try evaluator.value(of: condition).isTrue
            }
            evaluator.scopes.removeLast()
            if isWanted ?? true { rounds.append(names) }
        }
        if rounds.isEmpty { return try run(loop.otherwise) }
        for (index, names) in rounds.enumerated() {
            evaluator.line = line
            try evaluator.spend()
            evaluator.scopes.append(names.merging(["loop": Self.position(index, of: rounds.count)]) { name, _ in name })
            try run(loop.body)
            evaluator.scopes.removeLast()
        }
    }

    private func bind(
        _ element: TemplateValue, to names: [String]
    ) throws(TemplateError) -> [String: TemplateValue] {
        guard names.count > 1 else { return [names[0]: element] }
        guard case .list(let parts) = element, parts.count == names.count else {
            throw evaluator.failure("\(element.kind) cannot be taken apart into \(names.joined(separator: ", "))")
        }
        return Dictionary(zip(names, parts)) { _, last in last }
    }

    /// What `loop` means inside a round.
    private static func position(_ index: Int, of count: Int) -> TemplateValue {
        .mapping([
            "index": .integer(index + 1), "index0": .integer(index), "length": .integer(count),
            "revindex": .integer(count - index), "revindex0": .integer(count - index - 1),
            "first": .boolean(index == 0), "last": .boolean(index == count - 1),
        ])
    }
}
