internal import ArgumentParser
internal import Checkpoint
internal import Kernels

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Shows what a checkpoint holds: layers, tensors, parameters, bytes.",
        discussion: """
            With --expert-dtype or --dense-dtype also how far the weights would be from the stored ones: the root of \
            the squared differences over that of the squared weights, and the largest difference in a matrix over its \
            largest weight. Every such matrix is read for it.
            """)

    @Argument(help: "The checkpoint folder.")
    var model: String

    @OptionGroup(title: "Weights")
    var weights: WeightOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let checkpoint = try Checkpoint(folder: model)
        let report = try CheckpointReport(checkpoint)
        let held = try held(checkpoint)
        let text = report.text + (held.map { "\n" + $0.text } ?? "")
        try StandardStream.output((json ? try JSONText.of(Whole(report: report, held: held)) : text) + "\n")
    }

    private func held(_ checkpoint: Checkpoint) throws -> HeldReport? {
        guard weights.held != HeldDTypes() else { return nil }
        return try ProgressLine.shown("converting") { progress in
            try HeldReport(checkpoint, held: weights.held, team: ThreadTeam(threads: Machine.coreCount)) {
                progress.show(bytes: $0, of: $1)
            }
        }
    }

    /// One object: the report's own, with "held" where it was asked for.
    private struct Whole: Encodable {
        let report: CheckpointReport
        let held: HeldReport?

        private enum Key: CodingKey {
            case held
        }

        func encode(to encoder: any Encoder) throws {
            try report.encode(to: encoder)
            var container = encoder.container(keyedBy: Key.self)
            try container.encodeIfPresent(held?.groups, forKey: .held)
        }
    }
}
