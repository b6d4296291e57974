internal import Checkpoint
internal import Model
package import Serving

/// A `DecodeRun` on one engine, step by step, so that several engines can take turns. Ended by `end`.
package struct DecodeTrial {
    /// What one decoding step took and touched.
    package struct Step {
        package let seconds: Double
        /// nil where nobody asked.
        package let bytes: Int?
    }

    private let run: DecodeRun
    private let engine: Engine
    private let bytes: StepBytes?
    private var sequences: [GenerationSequence] = []

    /// - Parameter bytes: nil where nobody asks for those of the steps.
    package init(_ run: DecodeRun, on engine: Engine, bytes: StepBytes? = nil) {
        self.run = run
        self.engine = engine
        self.bytes = bytes
    }

    /// Hands the prompts in.
    /// - Parameter seed: of the prompts' tokens.
    /// - Throws: what the engine throws.
    package mutating func begin(vocabularySize: Int, seed: Int) throws {
        for index in 0..<run.batch {
            let request = request(vocabularySize, seed: seed * run.batch + index)
            sequences.append(try engine.submit(request, inventing: run.isInvented ? run.promptLength - 1 : 0))
        }
    }

    /// One pass over prompts.
    /// - Returns: its seconds; nil, and nothing is done, when every sequence has its first token.
    /// - Throws: what the engine throws.
    package func readOn() throws -> Double? {
        guard sequences.contains(where: { $0.steps.isEmpty }) else { return nil }
        return try Stopwatch.seconds { _ = try tokens() }
    }

    /// Hands the prompts in, reads them, and decodes once: that step meets what the prompts left in the caches.
    /// - Throws: what the engine throws.
    package mutating func readAll(vocabularySize: Int, seed: Int) throws {
        try begin(vocabularySize: vocabularySize, seed: seed)
        while try readOn() != nil {}
        _ = try step()
    }

    /// One token for each sequence.
    /// - Throws: what the engine throws.
    package func step() throws -> Step {
        let seconds = try Stopwatch.seconds {
            var emissions = 0
            while emissions < run.batch { emissions += try tokens() }
        }
        return Step(seconds: seconds, bytes: bytes.map { touched($0) })
    }

    package func end() { engine.abandon() }

    /// How many tokens a step brought.
    private func tokens() throws -> Int {
        try engine.step().map { try $0.outcome.get() }.count
    }

    private func request(_ vocabularySize: Int, seed: Int) -> GenerationRequest {
        var generator = XorShift(seed: UInt64(truncatingIfNeeded: seed))
        let prompt = (0..<run.promptLength).map { _ in Int(generator.next() % UInt64(vocabularySize)) }
        return GenerationRequest(
            promptIDs: prompt, maximumTokens: run.tokensPerSequence, keeps: bytes == nil ? [] : .routing)
    }

    /// By the step before: each sequence's last position.
    private func touched(_ bytes: StepBytes) -> Int {
        let config = engine.config
        var isTouched = Array(repeating: false, count: config.layerCount * config.expertCount)
        var positions = 0
        for sequence in sequences {
            positions += run.promptLength + sequence.steps.count - 1
            sequence.record.forEachLastExpert { layer, expert in isTouched[layer * config.expertCount + expert] = true }
        }
        return bytes.touched(rows: sequences.count, distinctExperts: isTouched.count { $0 }, positions: positions)
    }
}
