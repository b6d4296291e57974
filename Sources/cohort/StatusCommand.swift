internal import ArgumentParser
internal import Cluster

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows the cluster of a running server: workers, slots, load, migrations.")

    @OptionGroup
    var options: ServerOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() async throws {
        let status = try await options.connect { try await $0.status() }
        let text = json ? String(decoding: status.json(isPretty: true), as: UTF8.self) : StatusText(status).text
        try StandardStream.output(text + "\n")
    }
}
