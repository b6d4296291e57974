internal import ArgumentParser
internal import Bench
internal import Checkpoint
internal import Cluster
internal import Foundation
internal import Kernels
internal import Model
internal import Serving
internal import Tokenization

struct BenchQualityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quality",
        abstract:
            "Measures what holding weights in fewer bits costs: perplexities beside that of the weights as stored.",
        discussion: """
            Without --text or --prompt-ids the tokens are the model's own: sampled at temperature 1 with the weights \
            as stored. Then the ratio is exp of how far the other distribution diverges from the model's.
            """)

    @Argument(help: "The checkpoint folder.")
    var model: String

    @Option(name: .customLong("expert-dtype"), help: "What to hold routed experts as, one after the other.")
    var expertDType = HeldList([.int8, .int4])

    @Option(
        name: .customLong("dense-dtype"),
        help: "What to hold the other matrices as, as in stored,int8,int4, with each of --expert-dtype.")
    var denseDType = HeldList([nil])

    @Option(help: "A file of text to see coming.")
    var text: String?

    @Option(name: .customLong("prompt-ids"), help: "The tokens to see coming, as ids: 1,2,3.")
    var promptIDs: String?

    @Option(help: "Tokens to sample where none are given.")
    var tokens = 1024

    @Option(help: "Tokens of a context: longer texts are cut.")
    var window = 256

    @Option(help: "Of the sampling.")
    var seed: UInt64 = 1

    @Option(help: "Arithmetic: f32, or fast (bf16 into products, f32 accumulation).")
    var compute = Compute.fast

    @Option(help: "Cores to use. Default: all.")
    var threads: Int?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if text != nil && promptIDs != nil {
            throw ValidationError("--text and --prompt-ids exclude each other: give one")
        }
        for (name, value, range) in [
            ("--tokens", tokens, 2...1_000_000), ("--window", window, 2...8192), ("--threads", threads ?? 1, 1...1024),
        ] where !(range ~= value) {
            throw ValidationError("\(name) is \(value): give \(range.lowerBound) to \(range.upperBound)")
        }
    }

    func run() throws {
        let checkpoint = try Checkpoint(folder: model)
        let processor = Processor(threads: threads ?? Machine.coreCount, compute: compute)
        let window = min(window, checkpoint.config.maximumPositions - 1)
        let given = try givenIDs().map { QualityRun($0, window: window) }
        if let given, given.texts.isEmpty { throw UsageError("the text has less than two tokens: give a longer one") }
        let progress = ProgressLine(label: "measuring")
        progress.show("weights as stored")
        let (run, stored) = try measure(HeldDTypes(), checkpoint, processor) { engine in
            let run = try given ?? QualityRun(sampling: tokens, window: window, from: engine, seed: seed)
            return (run, try run.measure(engine))
        }
        var lines = [QualityReport.Line(HeldDTypes(), config: checkpoint.config, quality: stored, stored: stored)]
        for held in ways where held != HeldDTypes() {
            progress.show("experts \(held.expert?.rawValue ?? "stored"), dense \(held.dense?.rawValue ?? "stored")")
            let quality = try measure(held, checkpoint, processor) { try run.measure($0) }
            lines.append(QualityReport.Line(held, config: checkpoint.config, quality: quality, stored: stored))
        }
        progress.finish()
        let source = text.map { "of \($0)" } ?? (promptIDs == nil ? "of the model's own" : "of the command line")
        let report = QualityReport(model: model, source: source, tokens: stored.tokens, lines: lines)
        try StandardStream.output((json ? try JSONText.of(report) : report.text) + "\n")
    }

    private var ways: [HeldDTypes] {
        denseDType.values.flatMap { dense in expertDType.values.map { HeldDTypes(expert: $0, dense: dense) } }
    }

    private func givenIDs() throws -> [Int]? {
        if let promptIDs {
            return try CompletionText(folder: model, prompt: nil, promptIDs: promptIDs, isChat: false).promptIDs
        }
        guard let text else { return nil }
        guard let data = FileManager.default.contents(atPath: text) else {
            throw InputError("\(text): the text cannot be read; check the path, and that this user may read it")
        }
        return try ModelText(folder: model, needsTokenizer: true).encode(String(decoding: data, as: UTF8.self))
    }

    /// Loads the model with its weights held so, for as long as `body` runs.
    private func measure<Result>(
        _ held: HeldDTypes, _ checkpoint: Checkpoint, _ processor: Processor, _ body: (Engine) throws -> Result
    ) throws -> Result {
        let config = checkpoint.config
        let decoder = try DecoderModel(from: checkpoint, as: held.dense, team: processor.team)
        let deployment = try Deployment(
            local: Deployment.Model(
                checkpoint: checkpoint, processor: processor, exchange: .standard(for: compute),
                expertLayers: Array(config.denseLayerCount..<config.layerCount), maximumTokens: Self.chunk,
                expertDType: held.expert))
        defer { deployment.close() }
        return try body(
            Engine(
                model: decoder, experts: deployment.experts, processor: processor,
                limits: .init(
                    prefillChunk: Self.chunk,
                    cachePositions: QualityRun.mostSequences * QualityRun.positions(window: window))))
    }

    /// Rows of one pass.
    private static let chunk = 256
}

/// Ways to hold weights on the command line: "stored,int8,int4".
struct HeldList: ExpressibleByArgument {
    /// nil: as stored.
    let values: [HeldDType?]

    init(_ values: [HeldDType?]) {
        self.values = values
    }

    init?(argument: String) {
        var values: [HeldDType?] = []
        for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let held = HeldDType(rawValue: String(name))
            guard held != nil || name == Self.stored else { return nil }
            values.append(held)
        }
        self.values = values
    }

    var defaultValueDescription: String {
        values.map { $0?.rawValue ?? Self.stored }.joined(separator: ",")
    }

    private static let stored = "stored"
}
