extension TemplateEvaluator {
    mutating func binary(
        _ kind: TemplateExpression.Operator, _ left: TemplateExpression, _ right: TemplateExpression
    ) throws(TemplateError) -> TemplateValue {
        let first = try value(of: left)
        switch kind {
        case .and: return first.isTrue ? try value(of: right) : first
        case .or: return first.isTrue ? first : try value(of: right)
        default: break
        }
        let second = try value(of: right)
        switch kind {
        case .equal: return .boolean(first == second)
        case .notEqual: return .boolean(first != second)
        case .isIn: return .boolean(try contains(second, first))
        case .isNotIn: return .boolean(!(try contains(second, first)))
        case .plus: return try sum(first, second)
        case .minus: return try difference(first, second)
        case .join: return try joined(first, second)
        default: return .boolean(try isOrdered(first, second, kind))
        }
    }

    private mutating func sum(_ left: TemplateValue, _ right: TemplateValue) throws(TemplateError) -> TemplateValue {
        switch (left, right) {
        case (.string(let left), .string(let right)):
            try spend(byteCount: left.utf8.count + right.utf8.count)
            return .string(left + right)
        case (.integer(let left), .integer(let right)):
            let (sum, overflows) = left.addingReportingOverflow(right)
            guard !overflows else { throw failure("\(left) + \(right) is out of range") }
            return .integer(sum)
        case (.list(let left), .list(let right)):
            try spend(byteCount: (left.count + right.count) * MemoryLayout<TemplateValue>.stride)
            return .list(left + right)
        default:
            throw failure("\(left.kind) and \(right.kind) cannot be added")
        }
    }

    private func difference(_ left: TemplateValue, _ right: TemplateValue) throws(TemplateError) -> TemplateValue {
        guard case .integer(let left) = left, case .integer(let right) = right else {
            throw failure("- needs integers")
        }
        let (difference, overflows) = left.subtractingReportingOverflow(right)
        guard !overflows else { throw failure("\(left) - \(right) is out of range") }
        return .integer(difference)
    }

    private mutating func joined(_ left: TemplateValue, _ right: TemplateValue) throws(TemplateError) -> TemplateValue {
        guard let left = left.text, let right = right.text else { throw failure("~ needs plain values") }
        try spend(byteCount: left.utf8.count + right.utf8.count)
        return .string(left + right)
    }

    private func contains(_ container: TemplateValue, _ element: TemplateValue) throws(TemplateError) -> Bool {
        switch (container, element) {
        case (.string(let text), .string(let part)): return TemplateText(text).contains(TemplateText(part))
        case (.list(let values), _): return values.contains(element)
        case (.mapping(let mapping), .string(let key)): return mapping[key] != nil
        case (.mapping, _), (.undefined, _): return false
        default: throw failure("\(container.kind) cannot contain \(element.kind)")
        }
    }

    private func isOrdered(
        _ left: TemplateValue, _ right: TemplateValue, _ kind: TemplateExpression.Operator
    ) throws(TemplateError) -> Bool {
        let isLess: Bool
        let isGreater: Bool
        switch (left, right) {
        case (.integer(let left), .integer(let right)):
            (isLess, isGreater) = (left < right, right < left)
        case (.string(let left), .string(let right)):
            let (left, right) = (left.unicodeScalars, right.unicodeScalars)
            (isLess, isGreater) = (left.lexicographicallyPrecedes(right), right.lexicographicallyPrecedes(left))
        default:
            throw failure("\(left.kind) and \(right.kind) have no order")
        }
        switch kind {
        case .less: return isLess
        case .greater: return isGreater
        case .lessOrEqual: return !isGreater
        default: return !isLess
        }
    }
}
