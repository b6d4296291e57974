package import Serving

/// One batch through an engine: prompts of one length, then decoding steps in which every sequence gets one token.
package struct DecodeRun {
    package let batch: Int
    package let promptLength: Int
    /// Whether all of the prompt but its last token is in the cache from the start, as invented numbers: decoding over
    /// a long cache, without the time that its prompt would take.
    package let isInvented: Bool
    /// Decoding steps that count.
    package let stepCount: Int

    package init(batch: Int, promptLength: Int, isInvented: Bool = false, stepCount: Int) {
        self.batch = batch
        self.promptLength = promptLength
        self.isInvented = isInvented
        self.stepCount = stepCount
    }

    /// Positions that the caches of the run need.
    package var positions: Int { batch * positionsPerSequence }

    /// Positions that each sequence comes to.
    package var positionsPerSequence: Int { promptLength + tokensPerSequence }

    /// The first sequence decodes while the last still waits for its prompt to be read.
    var tokensPerSequence: Int { stepCount + 2 + batch * 2 }

    /// The steps of one engine by itself.
    /// - Parameter seed: of the prompts' tokens.
    /// - Returns: seconds of each step.
    /// - Throws: what the engine throws.
    package func stepSeconds(_ engine: Engine, vocabularySize: Int, seed: Int) throws -> [Double] {
        var trial = DecodeTrial(self, on: engine)
        defer { trial.end() }
        try trial.readAll(vocabularySize: vocabularySize, seed: seed)
        return try (0..<stepCount).map { _ in try trial.step().seconds }
    }

    /// The same run on several engines by turns, with the read bandwidth around each turn: a shared machine changes
    /// from second to second, and what is held against each other should see the same of it. One sequence comes before
    /// and is not counted: memory is mapped page by page when it is first met, and a prompt meets nearly all experts.
    /// - Parameters:
    ///   - runs: how often, each with other prompts.
    ///   - bandwidth: measures it, in bytes per second.
    /// - Returns: what each engine did.
    /// - Throws: what an engine throws.
    package func measure(
        byTurns engines: [Engine], vocabularySize: Int, bytes: StepBytes, runs: Int, bandwidth: () -> Double
    ) throws -> [DecodeOutcome] {
        let warmUp = DecodeRun(
            batch: 1, promptLength: isInvented ? min(promptLength, Self.warmUpTokens) : promptLength, stepCount: 1)
        for engine in engines { _ = try warmUp.stepSeconds(engine, vocabularySize: vocabularySize, seed: runs) }
        var outcomes = engines.map { _ in DecodeOutcome() }
        for seed in 0..<runs {
            var trials = engines.map { DecodeTrial(self, on: $0, bytes: bytes) }
            defer { for trial in trials { trial.end() } }
            let prefill = try Self.read(&trials, vocabularySize: vocabularySize, seed: seed)
            for (index, seconds) in prefill.enumerated() { outcomes[index].prefillSeconds.append(seconds) }
            var before = bandwidth()
            for first in stride(from: 0, to: stepCount, by: Self.stepsPerTurn) {
                for index in trials.indices {
                    let count = min(Self.stepsPerTurn, stepCount - first)
                    let steps = try (0..<count).map { _ in try trials[index].step() }
                    let after = bandwidth()
                    outcomes[index].turns.append(.init(steps: steps, readBandwidth: (before + after) / 2))
                    before = after
                }
            }
        }
        return outcomes
    }

    /// All prompts on each engine, pass by pass, and a step more: that one meets what the prompts left in the caches.
    /// - Returns: [engines] seconds until every sequence had its first token.
    private static func read(_ trials: inout [DecodeTrial], vocabularySize: Int, seed: Int) throws -> [Double] {
        var totals = trials.map { _ in 0.0 }
        for index in trials.indices { try trials[index].begin(vocabularySize: vocabularySize, seed: seed) }
        var isReading = true
        while isReading {
            isReading = false
            for index in trials.indices {
                guard let seconds = try trials[index].readOn() else { continue }
                totals[index] += seconds
                isReading = true
            }
        }
        for trial in trials { _ = try trial.step() }
        return totals
    }

    private static let stepsPerTurn = 4
    /// Enough to meet nearly all of 256 experts, of which each token meets eight.
    private static let warmUpTokens = 512
}
