internal import ArgumentParser
internal import Cluster

struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Watches the cluster of a running server.",
        discussion: "Draws the status anew every second, until q or Ctrl-C. In a pipe it prints it once.")

    @OptionGroup
    var options: ServerOptions

    func run() async throws {
        try await options.connect { client in
            let first = try await client.status()
            guard let terminal = Terminal() else {
                return try StandardStream.output(StatusText(first).text + "\n")
            }
            defer { terminal.restore() }
            try await watch(client, terminal, first)
        }
    }

    private func watch(_ client: AdminClient, _ terminal: Terminal, _ first: ClusterStatus) async throws {
        var text = StatusText(first)
        var trouble: String?
        while true {
            let head = trouble.map { "cohort: \($0)" } ?? "cohort \(options.server), q ends"
            try terminal.draw { [head, ""] + text.lines(columns: $0, rows: $1 - 2) }
            guard await terminal.pause(for: Self.interval) else { return }
            do {
                text = StatusText(try await client.status())
                trouble = nil
            } catch let error as UnreachableError {
                trouble = error.description
            }
        }
    }

    private static let interval = Duration.seconds(1)
}
