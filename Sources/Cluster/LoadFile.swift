internal import Foundation

/// The file format of load statistics: JSON, one object, versioned.
///
///     {"format": "cohort-load", "version": 1, "layers": [3, 4], "experts": 256, "windows": [300, 7200],
///      "tokens": [[[...256 numbers] per layer] per window],
///      "workers": {"NAME": [{"tokens": 1, "busy_seconds": 1, "wait_seconds": 0, "bytes": 1} per window]}}
package enum LoadFile {
    package static let format = "cohort-load"
    package static let version = 1

    /// The bytes of a file with what was folded so far; members are sorted, so equal statistics give equal bytes.
    package static func encode(_ statistics: LoadStatistics) -> [UInt8] {
        let experts = statistics.expertCount
        let content = Content(
            format: format, version: version, layers: statistics.layers, experts: experts,
            windows: statistics.windows,
            tokens: statistics.tokens.map { flat in
                stride(from: 0, to: flat.count, by: experts).map { Array(flat[$0..<$0 + experts]) }
            },
            workers: statistics.workers.mapValues(\.windows))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        do {
            return Array(try encoder.encode(content))
        } catch { preconditionFailure("finite numbers have a JSON form: \(error)") }
    }

    /// - Parameters:
    ///   - file: the file's name, for messages.
    ///   - seconds: the time now, from which the windows go on.
    package static func decode(
        _ bytes: [UInt8], file: String, seconds: Double = 0
    ) throws(LoadFileError) -> LoadStatistics {
        do {
            let decoder = JSONDecoder()
            let head = try decoder.decode(Head.self, from: Data(bytes))
            try check(head)
            let content = try decoder.decode(Content.self, from: Data(bytes))
            try check(content)
            var statistics = LoadStatistics(
                layers: content.layers, experts: content.experts, windows: content.windows, seconds: seconds)
            statistics.restore(
                tokens: content.tokens.map { Array($0.joined()) },
                workers: content.workers.mapValues(WorkerHistory.init(windows:)))
            return statistics
        } catch let problem as LoadFileError.Problem {
            throw LoadFileError(file: file, problem: problem)
        } catch {
            throw LoadFileError(file: file, problem: problem(of: error))
        }
    }

    private struct Head: Codable {
        let format: String
        let version: Int
    }

    private struct Content: Codable {
        let format: String
        let version: Int
        let layers: [Int]
        let experts: Int
        let windows: [Double]
        /// [windows][layers][experts]
        let tokens: [[[Double]]]
        /// By name: [windows]
        let workers: [String: [WorkerLoad]]
    }

    /// Far above any model's; a file is not to make a process allocate without bound.
    private static let maximumLayers = 4096
    private static let maximumExperts = 65536

    private static func check(_ head: Head) throws(LoadFileError.Problem) {
        guard head.format == format else { throw .otherFormat(found: String(head.format.prefix(40))) }
        guard head.version == version else { throw .otherVersion(found: head.version, known: version) }
    }

    private static func check(_ content: Content) throws(LoadFileError.Problem) {
        guard zip(content.layers, content.layers.dropFirst()).allSatisfy({ $0 < $1 }),
            content.layers.allSatisfy((0..<maximumLayers).contains), !content.layers.isEmpty
        else { throw .invalid(field: "layers", value: "\(content.layers.prefix(8))", expected: "ascending indices") }
        guard (1...maximumExperts).contains(content.experts) else {
            throw .invalid(field: "experts", value: "\(content.experts)", expected: "1 to \(maximumExperts)")
        }
        guard !content.windows.isEmpty, content.windows.allSatisfy({ $0 > 0 && $0.isFinite }) else {
            throw .invalid(field: "windows", value: "\(content.windows.prefix(8))", expected: "positive seconds")
        }
        try checkCount(content.tokens.count, "tokens", content.windows.count)
        for (window, layers) in content.tokens.enumerated() {
            try checkCount(layers.count, "tokens[\(window)]", content.layers.count)
            for (layer, experts) in layers.enumerated() {
                try checkCount(experts.count, "tokens[\(window)][\(layer)]", content.experts)
                try checkAmounts(experts, "tokens[\(window)][\(layer)]")
            }
        }
        for (name, loads) in content.workers.sorted(by: { $0.key < $1.key }) {
            try checkCount(loads.count, "workers.\(name)", content.windows.count)
            try checkAmounts(
                loads.flatMap { [$0.tokens, $0.busySeconds, $0.waitSeconds, $0.bytes] }, "workers.\(name)")
        }
    }

    private static func checkCount(_ found: Int, _ field: String, _ expected: Int) throws(LoadFileError.Problem) {
        guard found == expected else { throw .wrongCount(field: field, found: found, expected: expected) }
    }

    private static func checkAmounts(_ amounts: [Double], _ field: String) throws(LoadFileError.Problem) {
        guard let wrong = amounts.first(where: { !($0 >= 0 && $0.isFinite) }) else { return }
        throw .invalid(field: field, value: "\(wrong)", expected: "finite numbers from 0 up")
    }

    private static func problem(of error: any Error) -> LoadFileError.Problem {
        func field(_ path: [any CodingKey], _ last: String? = nil) -> String {
            (path.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue } + [last].compactMap { $0 })
                .joined(separator: ".").replacing(".[", with: "[")
        }
        switch error as? DecodingError {
        case .keyNotFound(let key, let context):
            return .missing(field: field(context.codingPath, key.stringValue))
        case .valueNotFound(let type, let context), .typeMismatch(let type, let context):
            return .wrongType(field: field(context.codingPath), expected: "\(type)")
        case .dataCorrupted(let context) where !context.codingPath.isEmpty:
            return .wrongType(field: field(context.codingPath), expected: "number of the kind wanted")
        default:
            return .syntax(reason: "the text breaks off or is no JSON")
        }
    }
}
