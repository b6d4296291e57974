internal import Yams

/// One YAML mapping of a cluster file, read key by key; every error carries the place of the wrong node.
struct ConfigSection {
    let file: String
    /// As errors name it: "coordinator", "worker 3".
    let name: String
    private let mark: Mark?
    private let values: [String: Node]

    /// - Parameter known: every key that may stand here.
    init(_ node: Node, file: String, name: String, known: [String]) throws(ClusterConfigError) {
        self.file = file
        self.name = name
        mark = node.mark
        guard case .mapping(let mapping) = node else {
            throw Self.error(
                .wrongType(key: name, found: Self.kind(of: node), expected: "a mapping of keys to values"), node.mark,
                file)
        }
        var values: [String: Node] = [:]
        for (key, value) in mapping {
            guard let word = key.scalar?.string else {
                throw Self.error(
                    .wrongType(key: name, found: "a mapping with a key that is no word", expected: "plain keys"),
                    key.mark, file)
            }
            guard known.contains(word) else {
                let nearest = Spelling.nearest(to: word, among: known)
                throw Self.error(
                    .unknownKey(word, section: name, nearest: nearest, known: known), key.mark, file)
            }
            values[word] = value
        }
        self.values = values
    }

    func has(_ key: String) -> Bool { values[key] != nil }

    func node(_ key: String, example: String) throws(ClusterConfigError) -> Node {
        guard let node = values[key] else {
            throw Self.error(.missingKey(key, section: name, example: example), mark, file)
        }
        return node
    }

    func nodes(_ key: String, example: String) throws(ClusterConfigError) -> [Node] {
        let node = try node(key, example: example)
        guard case .sequence(let sequence) = node else {
            throw wrongType(key, node, expected: "a list, each entry starting with '- '")
        }
        return Array(sequence)
    }

    func text(_ key: String, example: String) throws(ClusterConfigError) -> String {
        let node = try node(key, example: example)
        guard case .scalar(let scalar) = node, !Self.isNull(scalar) else {
            throw wrongType(key, node, expected: "a text such as \(example)")
        }
        return scalar.string
    }

    func text(ifPresent key: String, example: String) throws(ClusterConfigError) -> String? {
        guard has(key) else { return nil }
        return try text(key, example: example)
    }

    /// A whole number written in plain digits.
    func integer(_ key: String, in range: ClosedRange<Int>, example: String) throws(ClusterConfigError) -> Int {
        let node = try node(key, example: example)
        let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard case .scalar(let scalar) = node, !Self.isNull(scalar) else {
            throw wrongType(key, node, expected: expected)
        }
        guard scalar.style == .plain, scalar.string.utf8.allSatisfy({ (48...57).contains($0) }),
            let value = Int(scalar.string), range.contains(value)
        else { throw invalid(key, scalar.string, expected: expected) }
        return value
    }

    /// A text that `read` makes a value of.
    func value<Value>(
        _ key: String, example: String, _ read: (String) throws(QuantityError) -> Value
    ) throws(ClusterConfigError) -> Value {
        let text = try text(key, example: example)
        do {
            return try read(text)
        } catch { throw invalid(key, text, expected: error.expected) }
    }

    func value<Value>(
        ifPresent key: String, example: String, _ read: (String) throws(QuantityError) -> Value
    ) throws(ClusterConfigError) -> Value? {
        guard has(key) else { return nil }
        return try value(key, example: example, read)
    }

    func invalid(_ key: String, _ value: String, expected: String) -> ClusterConfigError {
        Self.error(.invalidValue(key: key, value: value, expected: expected), values[key]?.mark ?? mark, file)
    }

    /// An error about the section as a whole.
    func error(_ problem: ClusterConfigError.Problem, at key: String? = nil) -> ClusterConfigError {
        Self.error(problem, key.flatMap { values[$0]?.mark } ?? mark, file)
    }

    /// The line of a key's value, or of the section.
    func line(of key: String) -> Int { values[key]?.mark?.line ?? mark?.line ?? 1 }

    private func wrongType(_ key: String, _ node: Node, expected: String) -> ClusterConfigError {
        Self.error(.wrongType(key: key, found: Self.kind(of: node), expected: expected), node.mark, file)
    }

    private static func error(
        _ problem: ClusterConfigError.Problem, _ mark: Mark?, _ file: String
    ) -> ClusterConfigError {
        ClusterConfigError(file: file, line: mark?.line, column: mark?.column, problem: problem)
    }

    private static func kind(of node: Node) -> String {
        switch node {
        case .scalar(let scalar): isNull(scalar) ? "empty" : "'\(scalar.string)'"
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }

    private static func isNull(_ scalar: Node.Scalar) -> Bool {
        scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }
}
