internal import ArgumentParser
internal import Checkpoint
internal import Cluster
internal import Experts
internal import Foundation
internal import Kernels
internal import Logging
internal import Model
internal import Serving
internal import Tokenization

struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Completes one prompt.",
        discussion: "The completion goes to standard output as it comes, everything else to standard error.")

    @OptionGroup
    var options: ModelOptions

    @OptionGroup(title: "Sampling")
    var sampling: SamplingOptions

    @Option(help: "The text to complete.")
    var prompt: String?

    @Option(name: .customLong("prompt-ids"), help: "The tokens to complete, as ids: 1,2,3.")
    var promptIDs: String?

    @Flag(help: "Take the prompt for a user's message and render it with the checkpoint's chat template.")
    var chat = false

    @Option(help: "Generate at most this many tokens.")
    var maxTokens = 128

    @Flag(help: "Go on after an end-of-sequence token, to the full length.")
    var ignoreEOS = false

    @Option(help: "Name the K likeliest tokens of each step (with --json).")
    var topLogprobs = 0

    @Flag(help: "Print one JSON object instead of the text.")
    var json = false

    @Flag(help: "Add each position's experts and weights to the JSON object.")
    var routing = false

    @Option(help: "Write every position's logits to this safetensors file.")
    var dumpLogits: String?

    @Flag(help: "Print what each worker did to standard error.")
    var report = false

    func validate() throws {
        guard (prompt == nil) != (promptIDs == nil) else {
            throw ValidationError("give the prompt once: --prompt TEXT or --prompt-ids 1,2,3")
        }
        if chat && prompt == nil { throw ValidationError("--chat needs --prompt TEXT") }
        if routing && !json { throw ValidationError("--routing adds to the JSON object: give --json too") }
    }

    func run() throws {
        let checkpoint = try Checkpoint(folder: options.model)
        let text = try CompletionText(folder: options.model, prompt: prompt, promptIDs: promptIDs, isChat: chat)
        let request = GenerationRequest(
            promptIDs: text.promptIDs, maximumTokens: maxTokens, sampling: sampling.parameters,
            stopIDs: ignoreEOS ? [] : Set(checkpoint.config.eosTokenIDs), topCount: topLogprobs, keeps: keeps)
        try Engine.validate(request, for: checkpoint.config, cachePositions: .max)
        let logits = try dumpLogits.map { try LogitsFile(path: $0) }
        let processor = options.processor()
        let decoder = try DecoderModel(
            from: checkpoint, predicts: keeps.contains(.prediction), as: options.weights.denseDType,
            team: processor.team)
        let positions = request.promptIDs.count + maxTokens
        var behavior = ClusterBehavior.still
        behavior.record = try options.cluster.record()
        let deployment = try options.deploy(checkpoint, decoder, processor, behavior)
        defer { deployment.close() }
        let engine = Engine(
            model: decoder, experts: deployment.experts, processor: processor,
            limits: .init(prefillChunk: options.prefillChunk, cachePositions: positions))
        let sequence = try generate(request, engine, text, deployment)
        try logits?.write(sequence.record, vocabularySize: checkpoint.config.vocabularySize)
        if json {
            let output = GenerationOutput(sequence, text: text.decoded(sequence.steps.map(\.id)))
            try StandardStream.output(try output.json() + "\n")
        }
        if report { WorkerTable(deployment.activity).print() }
    }

    /// Runs the engine, and streams the text unless JSON is asked for.
    private func generate(
        _ request: GenerationRequest, _ engine: Engine, _ text: CompletionText, _ deployment: Deployment
    ) throws -> GenerationSequence {
        var stream = text.stream()
        let sequence = try engine.submit(request)
        while engine.hasWork {
            for emission in try engine.step() {
                let step = try emission.outcome.get()
                if !json { try StandardStream.output(stream.append(step.id)) }
            }
            deployment.betweenSteps()
        }
        if !json { try StandardStream.output(stream.finish() + "\n") }
        return sequence
    }

    private var keeps: GenerationRequest.Keeps {
        var keeps: GenerationRequest.Keeps = []
        if routing { keeps.insert(.routing) }
        if dumpLogits != nil { keeps.formUnion([.logits, .prediction]) }
        return keeps
    }
}
