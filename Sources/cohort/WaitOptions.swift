internal import ArgumentParser
internal import Cluster

/// How long a command stays to see what becomes of it.
struct WaitOptions: ParsableArguments {
    @Flag(name: .customLong("no-wait"), help: "Return as soon as the server has taken the command.")
    var returnsAtOnce = false

    @Option(help: "Seconds to wait until it is done; it goes on all the same.")
    var timeout = 3600

    func validate() throws {
        guard 1...Self.longestTimeout ~= timeout else {
            throw ValidationError("--timeout is \(timeout): give 1 to \(Self.longestTimeout) seconds")
        }
    }

    /// Gives the command and follows it to its end. The outcome goes to standard output.
    func perform(_ command: ClusterCommand, _ client: AdminClient) async throws {
        let reply = try await client.perform(command)
        if returnsAtOnce {
            let state = reply.wasUnderWay ? "under way already" : "accepted"
            return try StandardStream.output("\(command): \(state)\n")
        }
        try StandardStream.output(try await follow(Undertaking(command), from: reply.status, client) + "\n")
    }

    private func follow(
        _ undertaking: Undertaking, from first: ClusterStatus, _ client: AdminClient
    ) async throws -> String {
        let line = ProgressLine(label: "cohort")
        defer { line.finish() }
        let end = ContinuousClock.now + .seconds(timeout)
        var status = first
        while true {
            switch undertaking.progress(status) {
            case .done(let outcome): return outcome
            case .failed(let reason): throw WorkError(reason)
            case .going(let what, let done, let total):
                line.show(total > 0 ? "\(what), \(Amount.bytes(done)) of \(Amount.bytes(total))" : what)
            }
            guard .now < end else {
                throw WorkError(
                    """
                    \(undertaking.command) is not done after \(timeout) s; it goes on: see 'cohort status', or give a \
                    longer --timeout
                    """)
            }
            try await Task.sleep(for: Self.pause)
            status = try await client.status()
        }
    }

    private static let pause = Duration.milliseconds(200)
    private static let longestTimeout = 604_800
}
