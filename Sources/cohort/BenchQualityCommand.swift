internal import ArgumentParser
internal import Bench
internal import Checkpoint
internal import Cluster
internal import Experts
internal import Kernels
internal import Model
internal import Serving
internal import Tokenization

struct BenchQualityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quality",
        abstract:
            "Measures what fewer bits cost, of weights or on the wire: perplexities beside the stored model's.",
        discussion: """
            The reference has its weights as stored, and sends hidden vectors as the arithmetic loses nothing by. \
            Without --text or --prompt-ids the tokens are its own: sampled at temperature 1. Then the ratio is exp of \
            how far the other distribution diverges from the reference's.
            """)

    @Argument(help: "The checkpoint folder.")
    var model: String

    @Option(name: .customLong("expert-dtype"), help: "What to hold routed experts as, one after the other.")
    var expertDType = HeldList([.int8, .int4])

    @Option(
        name: .customLong("dense-dtype"),
        help: "What to hold the other matrices as, as in stored,int8,int4, with each of --expert-dtype.")
    var denseDType = HeldList([nil])

    @Option(
        help: """
            How hidden vectors travel to the experts, as in f32,bf16,fp8, with each of --expert-dtype and \
            --dense-dtype. Default: as the reference's.
            """)
    var wire: WireList?

    @Option(help: "A file of text to see coming.")
    var text: String?

    @Option(name: .customLong("prompt-ids"), help: "The tokens to see coming, as ids: 1,2,3.")
    var promptIDs: String?

    @Option(help: "Tokens to sample where none are given.")
    var tokens = 1024

    @Option(
        help: """
            Tokens of a context: longer texts are cut. Default: \(Self.usualWindow), or as many as the model takes.
            """)
    var window: Int?

    @Option(help: "Of the sampling.")
    var seed: UInt64 = 1

    @Option(help: "Arithmetic: f32, or fast (bf16 into products, INT8 where weights are; f32 accumulation).")
    var compute = Compute.fast

    @Option(help: "Cores to use. Default: all that this process may use.")
    var threads: Int?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if text != nil && promptIDs != nil {
            throw ValidationError("--text and --prompt-ids exclude each other: give one")
        }
        for (name, value, range) in [
            ("--tokens", tokens, 2...1_000_000), ("--window", window ?? 2, 2...8192),
            ("--threads", threads ?? 1, 1...1024),
        ] where !(range ~= value) {
            throw ValidationError("\(name) is \(value): give \(range.lowerBound) to \(range.upperBound)")
        }
    }

    func run() throws {
        let checkpoint = try Checkpoint(folder: model)
        let processor = Processor(threads: threads ?? Machine.coreCount, compute: compute)
        let window = try self.window(checkpoint.config)
        let given = try givenIDs().map { QualityRun($0, window: window) }
        if let given, given.texts.isEmpty { throw UsageError("the text has less than two tokens: give a longer one") }
        let (count, lines) = try ProgressLine.shown("measuring") { progress in
            progress.show("the reference")
            let (run, reference) = try measure(standard, checkpoint, processor, window: window) { engine in
                let run = try given ?? QualityRun(sampling: tokens, window: window, from: engine, seed: seed)
                return (run, try run.measure(engine))
            }
            func line(_ way: Way, _ quality: Quality) -> QualityReport.Line {
                QualityReport.Line(
                    way.held, wire: way.wire, config: checkpoint.config, quality: quality, reference: reference)
            }
            let others = try ways.filter { $0 != standard }.map { way in
                progress.show(way.description)
                return line(way, try measure(way, checkpoint, processor, window: window) { try run.measure($0) })
            }
            return (reference.tokens, [line(standard, reference)] + others)
        }
        let source = text.map { "of \($0)" } ?? (promptIDs == nil ? "of the model's own" : "of the command line")
        let report = QualityReport(model: model, source: source, tokens: count, lines: lines)
        try StandardStream.output((json ? try JSONText.of(report) : report.text) + "\n")
    }

    /// One way to hold the weights and to send hidden vectors.
    private struct Way: Equatable, CustomStringConvertible {
        let held: HeldDTypes
        let wire: ExchangeDType

        var description: String {
            "experts \(held.expert?.rawValue ?? "stored"), dense \(held.dense?.rawValue ?? "stored"), wire \(wire)"
        }
    }

    /// The reference.
    private var standard: Way { Way(held: HeldDTypes(), wire: .standard(for: compute)) }

    private var ways: [Way] {
        (wire?.values ?? [standard.wire]).flatMap { wire in
            denseDType.values.flatMap { dense in
                expertDType.values.map { Way(held: HeldDTypes(expert: $0, dense: dense), wire: wire) }
            }
        }
    }

    /// A text and one token after it have to find room.
    private func window(_ config: ModelConfig) throws -> Int {
        let most = config.maximumPositions - 1
        guard most >= window ?? 2 else {
            throw UsageError(
                "--window is \(window ?? 2), but the model's max_position_embeddings allows \(most): give less")
        }
        return window ?? min(Self.usualWindow, most)
    }

    private func givenIDs() throws -> [Int]? {
        if let promptIDs {
            return try CompletionText(folder: model, prompt: nil, promptIDs: promptIDs, isChat: false).promptIDs
        }
        guard let text else { return nil }
        let bytes = try NamedFile.bytes(of: text, what: "text", maximumByteSize: Self.maximumTextByteSize)
        return try ModelText(folder: model, needsTokenizer: true).encode(String(decoding: bytes, as: UTF8.self))
    }

    /// Loads the model in this way, for as long as `body` runs.
    private func measure<Result>(
        _ way: Way, _ checkpoint: Checkpoint, _ processor: Processor, window: Int, _ body: (Engine) throws -> Result
    ) throws -> Result {
        let decoder = try DecoderModel(from: checkpoint, as: way.held.dense, team: processor.team)
        let deployment = try Deployment(
            local: Deployment.Model(
                checkpoint: checkpoint, processor: processor, exchange: way.wire, maximumTokens: Self.chunk,
                expertDType: way.held.expert))
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
    private static let usualWindow = 256
    /// Far more than a million tokens.
    private static let maximumTextByteSize = 64 << 20
}
