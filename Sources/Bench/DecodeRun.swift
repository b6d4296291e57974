internal import Checkpoint
internal import Model
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

    /// What one run brought.
    package struct Outcome {
        /// Seconds until every sequence had its first token.
        package let prefillSeconds: Double
        /// Seconds of each step.
        package let stepSeconds: [Double]
        /// Bytes touched in each step; none where nobody asked.
        package let stepBytes: [Double]
    }

    /// Positions that the caches of the run need.
    package var positions: Int { batch * positionsPerSequence }

    /// Positions that each sequence comes to.
    package var positionsPerSequence: Int { promptLength + tokensPerSequence }

    /// - Parameters:
    ///   - bytes: nil where nobody asks for those of the steps.
    ///   - seed: of the prompts' tokens.
    /// - Throws: what the engine throws.
    package func measure(
        _ engine: Engine, vocabularySize: Int, bytes: StepBytes? = nil, seed: Int
    ) throws -> Outcome {
        var sequences: [GenerationSequence] = []
        let prefillSeconds = try Stopwatch.seconds {
            for index in 0..<batch {
                sequences.append(
                    try engine.submit(
                        request(vocabularySize, seed: seed * batch + index, keeps: bytes == nil ? [] : .routing),
                        inventing: isInvented ? promptLength - 1 : 0))
            }
            while sequences.contains(where: { $0.steps.isEmpty }) { _ = try tokens(engine) }
        }
        var (seconds, touched): ([Double], [Double]) = ([], [])
        for step in 0...stepCount {
            var emissions = 0
            let elapsed = try Stopwatch.seconds {
                while emissions < batch { emissions += try tokens(engine) }
            }
            // The first step that decodes alone meets what the prompts left in the caches.
            guard step > 0 else { continue }
            seconds.append(elapsed)
            if let bytes { touched.append(Double(touchedBytes(sequences, bytes, engine.config))) }
        }
        engine.abandon()
        return Outcome(prefillSeconds: prefillSeconds, stepSeconds: seconds, stepBytes: touched)
    }

    /// How many tokens a step brought.
    private func tokens(_ engine: Engine) throws -> Int {
        try engine.step().map { try $0.outcome.get() }.count
    }

    private func request(_ vocabularySize: Int, seed: Int, keeps: GenerationRequest.Keeps) -> GenerationRequest {
        var generator = XorShift(seed: UInt64(truncatingIfNeeded: seed))
        let prompt = (0..<promptLength).map { _ in Int(generator.next() % UInt64(vocabularySize)) }
        return GenerationRequest(promptIDs: prompt, maximumTokens: tokensPerSequence, keeps: keeps)
    }

    /// Of the step before: each sequence's last position.
    private func touchedBytes(
        _ sequences: [GenerationSequence], _ bytes: StepBytes, _ config: ModelConfig
    ) -> Int {
        var isTouched = Array(repeating: false, count: config.layerCount * config.expertCount)
        var positions = 0
        for sequence in sequences {
            positions += promptLength + sequence.steps.count - 1
            sequence.record.forEachLastExpert { layer, expert in isTouched[layer * config.expertCount + expert] = true }
        }
        return bytes.touched(rows: sequences.count, distinctExperts: isTouched.count { $0 }, positions: positions)
    }

    /// The first sequence decodes while the last still waits for its prompt to be read.
    private var tokensPerSequence: Int { stepCount + 2 + batch * 2 }
}
