internal import ArgumentParser
internal import Experts

/// Ways to send hidden vectors on the command line: "f32,bf16,fp8".
struct WireList: ExpressibleByArgument {
    let values: [ExchangeDType]

    init?(argument: String) {
        let names = argument.split(separator: ",", omittingEmptySubsequences: false)
        values = names.compactMap { ExchangeDType(rawValue: String($0)) }
        guard values.count == names.count else { return nil }
    }
}
