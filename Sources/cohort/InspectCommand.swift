internal import ArgumentParser
internal import Checkpoint
internal import Foundation

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Shows what a checkpoint holds: layers, tensors, parameters, bytes.")

    @Argument(help: "The checkpoint folder.")
    var model: String

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let report = try CheckpointReport(Checkpoint(folder: model))
        try StandardStream.output((json ? try encoded(report) : report.text) + "\n")
    }

    private func encoded(_ report: CheckpointReport) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(report), as: UTF8.self)
    }
}
