internal import ArgumentParser
internal import Kernels

/// Ways to hold weights on the command line: "stored,int8,int4".
struct HeldList: ExpressibleByArgument {
    /// nil: as stored.
    let values: [HeldDType?]

    init(_ values: [HeldDType?]) {
        self.values = values
    }

    init?(argument: String) {
        var values: [HeldDType?] = []
        for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let held = HeldDType(rawValue: String(name))
            guard held != nil || name == Self.stored else { return nil }
            values.append(held)
        }
        self.values = values
    }

    var defaultValueDescription: String {
        values.map { $0?.rawValue ?? Self.stored }.joined(separator: ",")
    }

    private static let stored = "stored"
}
