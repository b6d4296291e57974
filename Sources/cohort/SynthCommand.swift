internal import ArgumentParser
internal import Checkpoint

struct SynthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "synth",
        abstract: "Writes a checkpoint with seeded random weights, in the published format.",
        discussion: "The same configuration, dtype and seed give the same bytes. Memory stays small whatever the size.")

    @Argument(help: "A config.json of the deepseek_v3 or deepseek_v2 family.")
    var config: String

    @Argument(help: "The folder to make; it must be empty or not exist.")
    var folder: String

    @Option(help: "Seed of the weights.")
    var seed: UInt64 = 0

    @Option(help: "How weights are stored: bf16 or fp8. Default: as the configuration says.")
    var dtype: SyntheticCheckpoint.Format?

    func run() throws {
        let checkpoint = try SyntheticCheckpoint(configFile: config, format: dtype, seed: seed)
        try ProgressLine.shown("writing \(folder)") { progress in
            try checkpoint.write(to: folder, threads: Machine.coreCount) { progress.show(bytes: $0, of: $1) }
        }
    }
}

extension SyntheticCheckpoint.Format: ExpressibleByArgument {}
