internal import ArgumentParser

/// Counts on the command line: "1,8,32", or "1k,8k" for 1024 and 8192.
struct CountList: ExpressibleByArgument {
    let values: [Int]

    init(_ values: [Int]) {
        self.values = values
    }

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        let values = parts.compactMap(Self.count)
        guard values.count == parts.count else { return nil }
        self.values = values
    }

    private static func count(_ text: Substring) -> Int? {
        guard text.hasSuffix("k") else { return Int(text) }
        guard let (count, isTooLarge) = Int(text.dropLast())?.multipliedReportingOverflow(by: 1024) else { return nil }
        return isTooLarge ? nil : count
    }

    var defaultValueDescription: String { values.map(String.init).joined(separator: ",") }
}
