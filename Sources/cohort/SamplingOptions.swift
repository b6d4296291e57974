internal import ArgumentParser
internal import Serving

/// The sampling flags of `generate`.
struct SamplingOptions: ParsableArguments {
    @Option(help: "Sampling temperature; 0 takes the likeliest token.")
    var temperature: Float = 0

    @Option(help: "Sample from the k likeliest tokens only; 0: from all.")
    var topK = 0

    @Option(help: "Sample from the likeliest tokens that together reach this probability.")
    var topP: Float = 1

    @Option(help: "Leave out tokens less likely than this fraction of the likeliest.")
    var minP: Float = 0

    @Option(help: "Seed of the sampling; the same seed gives the same tokens. Default: a new one each time.")
    var seed: UInt64?

    var parameters: SamplingParameters {
        SamplingParameters(
            temperature: temperature, topK: topK, topP: topP, minP: minP, seed: seed ?? .random(in: .min ... .max))
    }

    func validate() throws {
        do {
            try parameters.validate()
        } catch {
            throw ValidationError(error.description)
        }
    }
}
