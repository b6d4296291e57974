internal import ArgumentParser

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures this machine, and what runs on it.",
        discussion: """
            Each measures in the same run what its figures are to be held against: kernels and decode what memory and \
            arithmetic allow, dispatch plain TCP of the same bytes, cluster the cluster before it changed, quality the \
            weights as stored, and plan what was predicted.
            """,
        subcommands: [
            BenchKernelsCommand.self, BenchDecodeCommand.self, BenchDispatchCommand.self,
            BenchClusterCommand.self, BenchQualityCommand.self, BenchPlanCommand.self,
        ])
}
