internal import ArgumentParser
internal import Cluster
internal import Foundation

struct RebalanceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebalance", abstract: "Levels the workers of a running server while it serves.",
        discussion: "Moves experts to where the load of the last minutes wants them, if that is worth their bytes.")

    @OptionGroup
    var options: ServerOptions

    @OptionGroup
    var wait: WaitOptions

    @Option(
        help: "Instead, write the load statistics and the placement to this file, for --placement of another start.")
    var record: String?

    func validate() throws {
        if record != nil && wait.returnsAtOnce {
            throw ValidationError("--record rebalances nothing: leave --no-wait out")
        }
    }

    func run() async throws {
        guard let record else { return try await options.connect { try await wait.perform(.rebalance, $0) } }
        let bytes = try await options.connect { try await $0.placementFile() }
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: record), options: .atomic)
        } catch {
            throw WorkError("\(record) cannot be written: check the folder, its permissions and its disk")
        }
        try StandardStream.output("\(record): the load and the placement, \(Amount.bytes(bytes.count))\n")
    }
}
