internal import Kernels
internal import Model

/// From the last hidden vectors of a pass to tokens: the head's logits in tiles of rows, then the sampler.
final class SamplingHead {
    private let model: DecoderModel
    private let hidden: AlignedBuffer<Float>
    private let logits: AlignedBuffer<Float>
    private let sums: LogitSums
    private let ranking: Ranking

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
        ranking = Ranking(vocabularySize: model.config.vocabularySize)
    }

    /// - Parameters:
    ///   - parts: the pass's sequences in row order.
    ///   - workspace: its `normed` holds the pass's final rows.
    func sample(_ parts: [Scheduler.Part], _ workspace: Workspace) -> [Engine.Emission] {
        let rows = neededRows(parts, workspace)
        var emissions: [Engine.Emission] = []
        for first in stride(from: 0, to: rows.count, by: Self.tile) {
            let tile = rows[first..<min(first + Self.tile, rows.count)]
            compute(tile, workspace)
            for (offset, (row, outcome)) in zip(tile, outcomes(tile, workspace.processor.team)).enumerated() {
                keep(row, offset)
                guard let outcome else { continue }
                row.sequence.take(outcome)
                emissions.append(.init(sequence: row.sequence, outcome: outcome))
            }
        }
        return emissions
    }

    /// What comes next in each sequence whose last row stands in the tile; nil for the other rows.
    private func outcomes(
        _ tile: ArraySlice<Row>, _ team: ThreadTeam
    ) -> [Result<TokenStep, GenerationError>?] {
        var outcomes = [Result<TokenStep, GenerationError>?](repeating: nil, count: tile.count)
        outcomes.withUnsafeMutableBufferPointer { outcomes in
            team.forEach(tile.count) { offset in
                let row = tile[tile.startIndex + offset]
                if row.isLast { outcomes[offset] = outcome(row.sequence, offset) }
            }
        }
        return outcomes
    }

    private func outcome(_ sequence: GenerationSequence, _ row: Int) -> Result<TokenStep, GenerationError> {
        let (request, logSum) = (sequence.request, sums.logSum(row: row))
        guard logSum.isFinite else { return .failure(.notFinite(tokens: sequence.tokens.count)) }
        let sampler = Sampler(parameters: request.sampling, ranking: ranking)
        let id = sampler.sample(logits(row), largest: sums.indexOfLargest(row: row), step: sequence.steps.count)
        return .success(
            TokenStep(id: id, logits: logits(row), logSum: logSum, topCount: request.topCount, ranking: ranking))
    }

    private func keep(_ row: Row, _ offset: Int) {
        let record = row.sequence.record
        record.keepLogits(logits(offset))
        guard let next = row.next else { return }
        record.keepLikelihood(
            .init(
                logProbability: Double(logits(offset)[next]) - sums.logSum(row: offset),
                likeliest: sums.indexOfLargest(row: offset)))
    }

    /// Those of a row of the tile.
    private func logits(_ row: Int) -> UnsafeBufferPointer<Float> {
        let count = model.config.vocabularySize
        return UnsafeBufferPointer(start: logits.pointer + row * count, count: count)
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
        model.logits(normed(rows, workspace), rows: rows.count, workspace, into: logits.pointer)
        sums.compute(logits.pointer, rows: rows.count, on: workspace.processor)
    }

    /// [rows, hidden]: where they stand if they follow one another, else brought together.
    private func normed(_ rows: ArraySlice<Row>, _ workspace: Workspace) -> UnsafePointer<Float> {
        let (normed, hiddenSize) = (workspace.normed.pointer, model.config.hiddenSize)
        if let first = rows.first, let last = rows.last, last.index - first.index == rows.count - 1 {
            return UnsafePointer(normed + first.index * hiddenSize)
        }
        for (offset, row) in rows.enumerated() {
            (hidden.pointer + offset * hiddenSize).update(from: normed + row.index * hiddenSize, count: hiddenSize)
        }
        return UnsafePointer(hidden.pointer)
    }

    /// Rows of logits in memory at once: the head's weights are read once for so many.
    private static let tile = 64
}
