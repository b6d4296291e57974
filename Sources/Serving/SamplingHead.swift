internal import Kernels
internal import Model

/// From the last hidden vectors of a pass to tokens: the head's logits in tiles of rows, then the sampler.
final class SamplingHead {
    private let model: DecoderModel
    private let hidden: AlignedBuffer<Float>
    private let logits: AlignedBuffer<Float>
    private let sums: LogitSums

    /// A row whose logits are needed.
    private struct Row {
        let index: Int
        let sequence: GenerationSequence
        let isLast: Bool
        /// The token of the prompt that follows, where it matters how likely it is.
        let next: Int?
    }

    init(model: DecoderModel) {
        self.model = model
        hidden = AlignedBuffer(count: Self.tile * model.config.hiddenSize)
        logits = AlignedBuffer(count: Self.tile * model.config.vocabularySize)
        sums = LogitSums(maximumRows: Self.tile, count: model.config.vocabularySize)
    }

    /// - Parameters:
    ///   - parts: the pass's sequences in row order.
    ///   - workspace: its `normed` holds the pass's final rows.
    func sample(_ parts: [Scheduler.Part], _ workspace: Workspace) -> [Engine.Emission] {
        let rows = neededRows(parts, workspace)
        var sampled: [Engine.Emission] = []
        for first in stride(from: 0, to: rows.count, by: Self.tile) {
            let tile = rows[first..<min(first + Self.tile, rows.count)]
            compute(tile, workspace)
            for (offset, row) in tile.enumerated() {
                let vocabulary = UnsafeBufferPointer(
                    start: logits.pointer + offset * model.config.vocabularySize, count: model.config.vocabularySize)
                row.sequence.record.keepLogits(vocabulary)
                if let next = row.next {
                    row.sequence.record.keepLikelihood(
                        .init(
                            logProbability: Double(vocabulary[next]) - sums.logSum(row: offset),
                            likeliest: sums.indexOfLargest(row: offset)))
                }
                if row.isLast {
                    sampled.append(
                        .init(sequence: row.sequence, outcome: sample(row.sequence, vocabulary, offset)))
                }
            }
        }
        return sampled
    }

    private func sample(
        _ sequence: GenerationSequence, _ logits: UnsafeBufferPointer<Float>, _ row: Int
    ) -> Result<TokenStep, GenerationError> {
        guard sums.logSum(row: row).isFinite else {
            let error = GenerationError.notFinite(tokens: sequence.tokens.count)
            sequence.fail(error)
            return .failure(error)
        }
        let sampler = Sampler(parameters: sequence.request.sampling)
        let id = sampler.sample(logits, largest: sums.indexOfLargest(row: row), step: sequence.steps.count)
        let step = TokenStep(
            id: id, logits: logits, logSum: sums.logSum(row: row), topCount: sequence.request.topCount)
        sequence.append(step)
        return .success(step)
    }

    private func neededRows(_ parts: [Scheduler.Part], _ workspace: Workspace) -> [Row] {
        var rows: [Row] = []
        var first = 0
        for part in parts {
            let count = part.positions.count
            if part.positions.lowerBound < part.sequence.request.promptIDs.count {
                part.sequence.record.keepHidden(
                    UnsafeBufferPointer(
                        start: workspace.normed.pointer + first * model.config.hiddenSize,
                        count: count * model.config.hiddenSize))
            }
            let reachesEnd =
                part.sequence.state == .running
                && part.positions.upperBound == part.sequence.tokens.count
            for offset in 0..<count {
                let isLast = reachesEnd && offset == count - 1
                let next = Self.next(part, offset)
                guard isLast || next != nil || part.sequence.request.keeps.contains(.logits) else { continue }
                rows.append(Row(index: first + offset, sequence: part.sequence, isLast: isLast, next: next))
            }
            first += count
        }
        return rows
    }

    private static func next(_ part: Scheduler.Part, _ offset: Int) -> Int? {
        let request = part.sequence.request
        let position = part.positions.lowerBound + offset + 1
        guard request.keeps.contains(.likelihoods), position < request.promptIDs.count else { return nil }
        return request.promptIDs[position]
    }

    private func compute(_ rows: ArraySlice<Row>, _ workspace: Workspace) {
        let hiddenSize = model.config.hiddenSize
        for (offset, row) in rows.enumerated() {
            (hidden.pointer + offset * hiddenSize).update(
                from: workspace.normed.pointer + row.index * hiddenSize, count: hiddenSize)
        }
        model.logits(hidden.pointer, rows: rows.count, workspace, into: logits.pointer)
        sums.compute(logits.pointer, rows: rows.count, on: workspace.processor)
    }

    /// Rows of logits in memory at once: the head's weights are read once for so many.
    private static let tile = 64
}
