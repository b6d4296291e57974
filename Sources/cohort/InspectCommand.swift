internal import ArgumentParser
internal import Checkpoint

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Shows what a checkpoint holds: layers, tensors, parameters, bytes.")

    @Argument(help: "The checkpoint folder.")
    var model: String

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let report = try CheckpointReport(Checkpoint(folder: model))
        try StandardStream.output((json ? try JSONText.of(report) : report.text) + "\n")
    }
}
