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
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        do {
            return Array(try encoder.encode(Content(statistics)))
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
            try head.check(format: format, version: version)
            return try decoder.decode(Content.self, from: Data(bytes)).statistics(seconds: seconds)
        } catch {
            throw LoadFileError(file: file, problem: problem(of: error))
        }
    }

    struct Head: Codable {
        let format: String
        let version: Int

        func check(format: String, version: Int) throws(LoadFileError.Problem) {
            guard self.format == format else { throw .otherFormat(found: String(self.format.prefix(40))) }
            guard self.version == version else { throw .otherVersion(found: self.version, known: version) }
        }
    }

    struct Content: Codable {
        let format: String
        let version: Int
        let layers: [Int]
        let experts: Int
        let windows: [Double]
        /// [windows][layers][experts]
        let tokens: [[[Double]]]
        /// By name: [windows]
        let workers: [String: [WorkerLoad]]

        init(_ statistics: LoadStatistics) {
            let count = statistics.expertCount
            format = LoadFile.format
            version = LoadFile.version
            layers = statistics.layers
            experts = count
            windows = statistics.windows
            tokens = statistics.tokens.map { flat in
                stride(from: 0, to: flat.count, by: count).map { Array(flat[$0..<$0 + count]) }
            }
            workers = statistics.workers.mapValues(\.windows)
        }

        func statistics(seconds: Double) throws(LoadFileError.Problem) -> LoadStatistics {
            try Head(format: format, version: version).check(format: LoadFile.format, version: LoadFile.version)
            try LoadFile.check(self)
            var statistics = LoadStatistics(layers: layers, experts: experts, windows: windows, seconds: seconds)
            statistics.restore(
                tokens: tokens.map { Array($0.joined()) }, workers: workers.mapValues(WorkerHistory.init(windows:)))
            return statistics
        }
    }

    /// Far above any model's; a file is not to make a process allocate without bound.
    private static let maximumLayers = 4096
    static let maximumExperts = 65536

    private static func check(_ content: Content) throws(LoadFileError.Problem) {
        try checkLayers(content.layers)
        try checkRange(content.experts, "experts", 1...maximumExperts)
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

    static func checkLayers(_ layers: [Int]) throws(LoadFileError.Problem) {
        guard zip(layers, layers.dropFirst()).allSatisfy({ $0 < $1 }),
            layers.allSatisfy((0..<maximumLayers).contains), !layers.isEmpty
        else { throw .invalid(field: "layers", value: "\(layers.prefix(8))", expected: "ascending indices") }
    }

    static func checkRange(
        _ value: Int, _ field: String, _ range: ClosedRange<Int>
    ) throws(LoadFileError.Problem) {
        guard range.contains(value) else {
            throw .invalid(
                field: field, value: "\(value)", expected: "\(range.lowerBound) to \(range.upperBound)")
        }
    }

    static func checkCount(_ found: Int, _ field: String, _ expected: Int) throws(LoadFileError.Problem) {
        guard found == expected else { throw .wrongCount(field: field, found: found, expected: expected) }
    }

    private static func checkAmounts(_ amounts: [Double], _ field: String) throws(LoadFileError.Problem) {
        guard let wrong = amounts.first(where: { !($0 >= 0 && $0.isFinite) }) else { return }
        throw .invalid(field: field, value: "\(wrong)", expected: "finite numbers from 0 up")
    }

    static func problem(of error: any Error) -> LoadFileError.Problem {
        if let problem = error as? LoadFileError.Problem { return problem }
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
