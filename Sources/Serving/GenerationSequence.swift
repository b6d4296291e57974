internal import Model

/// A request under way: its tokens, its cache, and how far the model has come.
package final class GenerationSequence {
    package enum FinishReason: String, Sendable {
        case stop
        case length
    }

    package enum State: Equatable {
        case running
        case finished(FinishReason)
        case cancelled
        case failed(GenerationError)
    }

    package let request: GenerationRequest
    package let identifier: Int
    package private(set) var state = State.running
    package private(set) var steps: [TokenStep] = []
    package let record: GenerationRecord
    let cache: LatentCache
    /// Prompt and generated tokens.
    private(set) var tokens: [Int]
    /// How many tokens have been given to a pass.
    private(set) var scheduledCount: Int

    /// - Parameter cachedPositions: how much of the prompt the cache holds already; less than all of it.
    init(_ request: GenerationRequest, identifier: Int, cache: LatentCache, cachedPositions: Int = 0) {
        precondition(cachedPositions < request.promptIDs.count, "the last of the prompt gives the first token")
        self.request = request
        self.identifier = identifier
        self.cache = cache
        tokens = request.promptIDs
        scheduledCount = cachedPositions
        record = GenerationRecord(request.keeps)
    }

    /// Tokens that no pass has been given yet.
    var waitingCount: Int { state == .running ? tokens.count - scheduledCount : 0 }

    var isPrefilling: Bool { scheduledCount < request.promptIDs.count }

    /// Hands out the next tokens, at most `limit`.
    /// - Returns: their positions.
    func take(_ limit: Int) -> Range<Int> {
        let range = scheduledCount..<min(tokens.count, scheduledCount + limit)
        scheduledCount = range.upperBound
        return range
    }

    func cancel() {
        if state == .running { state = .cancelled }
    }

    /// Takes in what follows all the other tokens: one more, or the end of them.
    func take(_ outcome: Result<TokenStep, GenerationError>) {
        switch outcome {
        case .success(let step): append(step)
        case .failure(let error): state = .failed(error)
        }
    }

    private func append(_ step: TokenStep) {
        steps.append(step)
        tokens.append(step.id)
        if request.stopIDs.contains(step.id) {
            state = .finished(.stop)
        } else if steps.count >= request.maximumTokens {
            state = .finished(.length)
        }
    }
}
