internal import ArgumentParser

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures this machine, and what runs on it.",
        discussion: "Every figure stands beside its limit, which the same run measures.",
        subcommands: [
            BenchKernelsCommand.self, BenchDecodeCommand.self, BenchDispatchCommand.self,
            BenchClusterCommand.self, BenchQualityCommand.self, BenchPlanCommand.self,
        ])
}
