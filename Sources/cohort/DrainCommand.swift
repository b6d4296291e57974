internal import ArgumentParser
internal import Cluster

struct DrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain", abstract: "Empties a worker of a running server and lets it leave.",
        discussion: "The others load what it holds first. Where they have no room for it, the worker stays.")

    @Argument(help: "The worker's name, as 'cohort status' shows it.")
    var name: String

    @OptionGroup
    var options: ServerOptions

    @OptionGroup
    var wait: WaitOptions

    func run() async throws {
        try await options.connect { try await wait.perform(.drain(name: name), $0) }
    }
}
