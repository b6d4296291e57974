internal import Foundation
package import Serving

/// A checked request for a completion.
package struct CompletionRequest: Sendable {
    package let generation: GenerationRequest
    /// Strings that end the completion.
    package let stops: [String]
    package let isStreamed: Bool
    package let includesUsage: Bool
    package let includesLogprobs: Bool

    /// - Throws: `APIError`, `RequestError` and `TokenizerError`, which name what is wrong.
    package init(_ json: [UInt8], for model: ServedModel) throws {
        let body = try Self.decode(json)
        if let name = body.model, name != model.name { throw APIError.unknownModel(name, known: model.name) }
        try Self.refuseUnsupported(body)
        stops = try Self.stops(body)
        isStreamed = body.stream ?? false
        includesUsage = body.streamOptions?.includeUsage ?? false
        includesLogprobs = body.logprobs != nil
        if body.streamOptions != nil && !isStreamed {
            throw APIError.invalid("stream_options goes with \"stream\": true only", parameter: "stream_options")
        }
        generation = GenerationRequest(
            promptIDs: try Self.promptIDs(body.prompt, model), maximumTokens: body.maxTokens ?? Self.defaultTokens,
            sampling: try Self.sampling(body), stopIDs: body.ignoreEOS ?? false ? [] : model.endIDs,
            topCount: try Self.topCount(body))
    }

    private static func decode(_ json: [UInt8]) throws(APIError) -> CompletionBody {
        do {
            return try JSONDecoder().decode(CompletionBody.self, from: Data(json))
        } catch DecodingError.keyNotFound(let key, _) {
            throw .invalid("\(key.stringValue) is missing: give it", parameter: key.stringValue)
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
            DecodingError.dataCorrupted(let context)
        {
            throw .invalid(context)
        } catch {
            throw .invalid("the body cannot be read: \(error)")
        }
    }

    private static func refuseUnsupported(_ body: CompletionBody) throws(APIError) {
        let refused: [(isAsked: Bool, name: String, mend: String)] = [
            (body.echo ?? false, "echo", "put the prompt in front of the completion yourself"),
            (body.count ?? 1 != 1, "n", "send one request for each completion"),
            (body.bestOf ?? 1 != 1, "best_of", "leave it out"),
            (!(body.suffix ?? "").isEmpty, "suffix", "leave it out"),
            (body.presencePenalty ?? 0 != 0, "presence_penalty", "leave it out"),
            (body.frequencyPenalty ?? 0 != 0, "frequency_penalty", "leave it out"),
            (!(body.logitBias ?? [:]).isEmpty, "logit_bias", "leave it out"),
        ]
        if let first = refused.first(where: \.isAsked) {
            throw .invalid("\(first.name) is not supported with this value: \(first.mend)", parameter: first.name)
        }
    }

    private static func stops(_ body: CompletionBody) throws(APIError) -> [String] {
        let stops = body.stop?.strings ?? []
        guard stops.count <= maximumStops else {
            throw .invalid("stop has \(stops.count) strings: give at most \(maximumStops)", parameter: "stop")
        }
        guard stops.allSatisfy({ 1...maximumStopBytes ~= $0.utf8.count }) else {
            throw .invalid("a stop string has 1 to \(maximumStopBytes) bytes", parameter: "stop")
        }
        return stops
    }

    private static func promptIDs(_ prompt: CompletionBody.Prompt, _ model: ServedModel) throws -> [Int] {
        switch prompt {
        case .ids(let ids): return ids
        case .text(let text):
            guard let ids = try model.text.encode(text) else {
                throw APIError.invalid(
                    "\(model.name) has no tokenizer: give the prompt as an array of token ids", parameter: "prompt")
            }
            return ids
        }
    }

    private static func sampling(_ body: CompletionBody) throws -> SamplingParameters {
        let parameters = SamplingParameters(
            temperature: body.temperature ?? 1, topK: body.topK == -1 ? 0 : body.topK ?? 0, topP: body.topP ?? 1,
            minP: body.minP ?? 0, seed: body.seed?.value ?? .random(in: .min ... .max))
        try parameters.validate()
        return parameters
    }

    private static func topCount(_ body: CompletionBody) throws(APIError) -> Int {
        let count = body.logprobs ?? 0
        guard 0...maximumLogprobs ~= count else {
            throw .invalid("logprobs is \(count): give 0 to \(maximumLogprobs)", parameter: "logprobs")
        }
        return count
    }

    /// OpenAI's default.
    private static let defaultTokens = 16
    private static let maximumStops = 4
    /// Every held-back byte is looked at again with each token.
    private static let maximumStopBytes = 256
    /// What vLLM allows; OpenAI allows 5.
    private static let maximumLogprobs = 20
}

extension APIError {
    fileprivate static func invalid(_ context: DecodingError.Context) -> APIError {
        let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
            .replacing(".[", with: "[")
        let what = context.debugDescription
        guard !path.isEmpty else { return .invalid("the body is no JSON object of the right shape: \(what)") }
        return .invalid("\(path): \(what)", parameter: path)
    }
}
