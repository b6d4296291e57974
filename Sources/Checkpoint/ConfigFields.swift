/// The members of one JSON object of a config file, read with their types and limits checked. A member that is null
/// counts as absent, as it does for the published Python code.
struct ConfigFields {
    private let members: [String: JSONValue]
    let file: String
    /// Dotted path of the object inside the file, with the dot at its end; empty for the file itself.
    private let path: String

    init(_ value: JSONValue, file: String, path: String = "") throws(CheckpointError) {
        guard case .object(let members) = value else {
            throw CheckpointError(
                .invalid, file: file, item: path.isEmpty ? nil : String(path.dropLast()),
                problem: "expected an object, found \(value.kindName)", remedy: Self.remedy)
        }
        self.members = Dictionary(members.map { ($0.name, $0.value) }) { first, _ in first }
        self.file = file
        self.path = path
    }

    private static let remedy = "take the config.json that was published with the model"

    func error(_ kind: CheckpointError.Kind, _ name: String, _ problem: String, remedy: String? = nil)
        -> CheckpointError
    {
        CheckpointError(kind, file: file, item: path + name, problem: problem, remedy: remedy ?? Self.remedy)
    }

    var isEmpty: Bool { members.isEmpty }

    /// The member, or nil if it is absent or null.
    func value(_ name: String) -> JSONValue? {
        members[name].flatMap { $0 == .null ? nil : $0 }
    }

    func required(_ name: String) throws(CheckpointError) -> JSONValue {
        if let value = value(name) { return value }
        throw error(.missing, name, members[name] == nil ? "the field is missing" : "the field is null")
    }

    func integer(_ name: String, in limits: ClosedRange<Int>) throws(CheckpointError) -> Int {
        try integer(try required(name), name, in: limits)
    }

    /// nil if the member is absent or null.
    func optionalInteger(_ name: String, in limits: ClosedRange<Int>) throws(CheckpointError) -> Int? {
        guard let value = value(name) else { return nil }
        return try integer(value, name, in: limits)
    }

    /// One whole number or a list of them.
    func integers(_ name: String, in limits: ClosedRange<Int>) throws(CheckpointError) -> [Int] {
        let value = try required(name)
        guard case .array(let elements) = value else { return [try integer(value, name, in: limits)] }
        var result: [Int] = []
        for element in elements { result.append(try integer(element, name, in: limits)) }
        return result
    }

    func number(_ name: String, in limits: ClosedRange<Double>) throws(CheckpointError) -> Double {
        try number(try required(name), name, in: limits)
    }

    /// nil if the member is absent or null.
    func optionalNumber(_ name: String, in limits: ClosedRange<Double>) throws(CheckpointError) -> Double? {
        guard let value = value(name) else { return nil }
        return try number(value, name, in: limits)
    }

    func string(_ name: String) throws(CheckpointError) -> String {
        try string(try required(name), name)
    }

    /// nil if the member is absent or null.
    func optionalString(_ name: String) throws(CheckpointError) -> String? {
        guard let value = value(name) else { return nil }
        return try string(value, name)
    }

    func flag(_ name: String) throws(CheckpointError) -> Bool {
        try flag(try required(name), name)
    }

    /// nil if the member is absent or null.
    func optionalFlag(_ name: String) throws(CheckpointError) -> Bool? {
        guard let value = value(name) else { return nil }
        return try flag(value, name)
    }

    /// nil if the member is absent or null.
    func object(_ name: String) throws(CheckpointError) -> ConfigFields? {
        guard let value = value(name) else { return nil }
        return try ConfigFields(value, file: file, path: path + name + ".")
    }

    private func integer(_ value: JSONValue, _ name: String, in limits: ClosedRange<Int>) throws(CheckpointError) -> Int
    {
        guard let integer = value.integer else {
            throw error(.invalid, name, "expected a whole number, found \(value.kindName)")
        }
        guard limits.contains(integer) else {
            throw error(
                .invalid, name, "is \(integer), expected \(limits.lowerBound) to \(limits.upperBound)")
        }
        return integer
    }

    private func number(
        _ value: JSONValue, _ name: String, in limits: ClosedRange<Double>
    ) throws(CheckpointError) -> Double {
        guard let number = value.finiteNumber else {
            throw error(.invalid, name, "expected a number, found \(value.kindName)")
        }
        guard limits.contains(number) else {
            throw error(
                .invalid, name, "is \(value.kindName), expected \(limits.lowerBound) to \(limits.upperBound)")
        }
        return number
    }

    private func string(_ value: JSONValue, _ name: String) throws(CheckpointError) -> String {
        guard case .string(let text) = value else {
            throw error(.invalid, name, "expected a text, found \(value.kindName)")
        }
        return text
    }

    private func flag(_ value: JSONValue, _ name: String) throws(CheckpointError) -> Bool {
        guard case .bool(let flag) = value else {
            throw error(.invalid, name, "expected true or false, found \(value.kindName)")
        }
        return flag
    }
}
