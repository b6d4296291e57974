internal import ArgumentParser
internal import Cluster

struct RemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Does without a worker of a running server at once.",
        discussion: "What it alone holds is loaded by the others meanwhile. 'cohort drain' is the gentle form.")

    @Argument(help: "The worker's name, as 'cohort status' shows it.")
    var name: String

    @OptionGroup
    var options: ServerOptions

    func run() async throws {
        let command = ClusterCommand.remove(name: name)
        let reply = try await options.connect { try await $0.perform(command) }
        guard case .done(let outcome) = Undertaking(command).progress(reply.status) else {
            preconditionFailure("a removal that was accepted is done")
        }
        try StandardStream.output(outcome + "\n")
    }
}
