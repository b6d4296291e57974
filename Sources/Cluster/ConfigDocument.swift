internal import Foundation
internal import Yams

/// The YAML text of a cluster file, checked for size and for aliases, and composed to nodes that know their lines.
enum ConfigDocument {
    /// A list of 4,096 written-out workers has about 0.7 MB.
    static let maximumByteSize = 1 << 20

    static func read(_ file: String) throws(ClusterConfigError) -> String {
        func failure(_ problem: ClusterConfigError.Problem) -> ClusterConfigError {
            ClusterConfigError(file: file, line: nil, column: nil, problem: problem)
        }
        let attributes: [FileAttributeKey: Any]
        do {
            attributes = try FileManager.default.attributesOfItem(
                atPath: URL(fileURLWithPath: file).resolvingSymlinksInPath().path)
        } catch { throw failure(.unreadable(reason: error.localizedDescription)) }
        guard attributes[.type] as? FileAttributeType == .typeRegular else {
            throw failure(.unreadable(reason: "it is no regular file"))
        }
        let byteSize = (attributes[.size] as? NSNumber)?.intValue ?? 0
        guard byteSize <= maximumByteSize else {
            throw failure(.tooLarge(byteSize: byteSize, maximum: maximumByteSize))
        }
        do {
            return try String(contentsOfFile: file, encoding: .utf8)
        } catch { throw failure(.unreadable(reason: error.localizedDescription)) }
    }

    static func compose(_ text: String, file: String) throws(ClusterConfigError) -> Node {
        guard text.utf8.count <= maximumByteSize else {
            throw ClusterConfigError(
                file: file, line: nil, column: nil,
                problem: .tooLarge(byteSize: text.utf8.count, maximum: maximumByteSize))
        }
        if let place = firstAlias(in: text) {
            throw ClusterConfigError(file: file, line: place.line, column: place.column, problem: .alias)
        }
        let root: Node?
        do {
            root = try Parser(yaml: text, encoding: .utf8).singleRoot()
        } catch { throw translated(error, file: file) }
        guard let root, root.scalar?.string != "" else {
            throw ClusterConfigError(file: file, line: nil, column: nil, problem: .empty)
        }
        return root
    }

    /// The first `*name` that could be an alias. Aliases of aliases make a short text expand without bound, already
    /// while keys are compared, so they are refused before parsing. Never misses one: comments are skipped only where
    /// they hold no quote, so that a '#' inside a quoted text, after which an alias may follow, hides nothing.
    private static func firstAlias(in text: String) -> (line: Int, column: Int)? {
        let unified = text.replacingOccurrences(of: "\r\n", with: "\n")
        let lines = unified.unicodeScalars.split(omittingEmptySubsequences: false) {
            "\n\r\u{85}\u{2028}\u{2029}".unicodeScalars.contains($0)
        }
        for (index, line) in lines.enumerated() {
            if let column = firstAliasColumn(in: Array(line)) { return (index + 1, column + 1) }
        }
        return nil
    }

    private static func firstAliasColumn(in line: [Unicode.Scalar]) -> Int? {
        for (column, scalar) in line.enumerated() {
            let previous = column > 0 ? line[column - 1] : " "
            let rest = line[(column + 1)...]
            let followsBlank = previous == " " || previous == "\t"
            if scalar == "#", followsBlank, !rest.contains("'"), !rest.contains("\"") { return nil }
            let startsToken = followsBlank || "[{,:?-".unicodeScalars.contains(previous)
            if scalar == "*", startsToken, let next = rest.first, next != " ", next != "\t" { return column }
        }
        return nil
    }

    private static func translated(_ error: any Error, file: String) -> ClusterConfigError {
        func make(_ problem: ClusterConfigError.Problem, _ mark: Mark?) -> ClusterConfigError {
            ClusterConfigError(file: file, line: mark?.line, column: mark?.column, problem: problem)
        }
        switch error as? YamlError {
        case .scanner(_, let reason, let mark, _), .parser(_, let reason, let mark, _),
            .composer(_, let reason, let mark, _):
            return make(.syntax(reason: reason), mark)
        case .duplicatedKeysInMapping(let keys, let context):
            return make(.duplicateKey(keys.first ?? ""), context.mark)
        case .reader(let reason, _, _, _):
            return make(.syntax(reason: reason), nil)
        default:
            return make(.syntax(reason: "\(error)"), nil)
        }
    }
}
