internal import ArgumentParser
internal import Foundation

@main
struct Cohort: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cohort",
        abstract: "Runs DeepSeek-V3/R1-class mixture-of-experts models on clusters of ordinary servers.",
        discussion: """
            One coordinator runs attention, routing and the shared expert; workers hold the routed experts.
            Exit status: 0 done; 1 the work failed; 64 wrong usage; 66 an input file is missing or broken; 69 a peer \
            cannot be reached.
            """,
        version: "0.1.0",
        subcommands: [
            GenerateCommand.self, ServeCommand.self, WorkerCommand.self, StatusCommand.self, TopCommand.self,
            RebalanceCommand.self, DrainCommand.self, RemoveCommand.self, PlanCommand.self, InspectCommand.self,
            SynthCommand.self, BenchCommand.self,
        ])

    @MainActor static func main() async {
        StandardStream.occupy()
        OpenFiles.raiseLimit()
        Machine.fitMemory()
        do {
            var command = try parseAsRoot()
            if var service = command as? any AsyncParsableCommand {
                try await service.run()
            } else {
                try command.run()
            }
        } catch let failure as any Reportable {
            StandardStream.error("cohort: \(failure.report)\n")
            Foundation.exit(failure.exitStatus)
        } catch {
            exit(withError: error)
        }
    }
}
