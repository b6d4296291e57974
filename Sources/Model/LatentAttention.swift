internal import Checkpoint
internal import Kernels

/// Multi-head latent attention in its absorbed form: queries are brought into the latent space, so that the cache alone
/// (one latent and one rotated key per position, shared by all heads) is read.
/// Source: DeepSeek-V2 paper, section 2.1; the absorbed form as in DeepSeek-V3 `inference/model.py` (attn_impl
/// "absorb").
struct LatentAttention {
    private enum Query {
        case whole(WeightMatrix)
        case lowRank(down: WeightMatrix, norm: RMSNorm, up: WeightMatrix)
    }

    private let config: ModelConfig
    private let layer: Int
    private let query: Query
    private let latentDown: WeightMatrix
    private let latentNorm: RMSNorm
    /// Per head [latent, nope]: the transposed key half of kv_b.
    private let keys: [WeightMatrix]
    /// Per head [value, latent]: the value half of kv_b.
    private let values: [WeightMatrix]
    /// The same, for all threads at once.
    private let unowned: (keys: [UnownedMatrix], values: [UnownedMatrix])
    private let output: WeightMatrix

    init(from weights: DenseWeights, layer: Int) throws {
        let checkpoint = weights.checkpoint
        config = checkpoint.config
        self.layer = layer
        let names = LayerTensorNames(layer: layer)
        query = try Self.query(from: weights, names)
        latentDown = try weights.matrix(
            names.latentDown, rows: config.latentRank + config.ropeDimension, columns: config.hiddenSize, .latentDown)
        latentNorm = RMSNorm(
            gain: try checkpoint.vector(names.latentNorm, count: config.latentRank), epsilon: Self.normEpsilon)
        let up = try checkpoint.matrix(
            names.latentUp, rows: config.headCount * (config.nopeDimension + config.valueDimension),
            columns: config.latentRank)
        let projection = LatentProjection(
            of: up, heads: config.headCount, keyRows: config.nopeDimension, valueRows: config.valueDimension)
        checkpoint.adviseDoNotNeed(up)
        keys = weights.held(projection.keys, .latentUp)
        values = weights.held(projection.values, .latentUp)
        unowned = (keys.map(\.unowned), values.map(\.unowned))
        output = try weights.matrix(
            names.output, rows: config.hiddenSize, columns: config.headCount * config.valueDimension, .output)
    }

    /// What the threads begin with.
    func prefetches(rows: Int, _ processor: Processor) -> Prefetches {
        let first =
            switch query {
            case .whole(let matrix): matrix
            case .lowRank(let down, _, _): down
            }
        return Prefetches(processor.prefetch(of: first.unowned, and: latentDown.unowned, inputRows: rows))
    }

    /// Writes the rows' latents into the cache and attends: result [rows, hidden] = attention(input [rows, hidden]).
    /// - Parameter next: what the threads begin with after it.
    func forward(
        _ input: Activations, batch: Batch, rotary: Rotary, _ workspace: Workspace, before next: Prefetches,
        into result: UnsafeMutablePointer<Float>
    ) {
        let (rows, processor) = (batch.rowCount, workspace.processor)
        workspace.turns.prepare(batch, rotary, processor)
        makeQueries(input, batch, workspace)
        for first in stride(from: 0, to: rows, by: workspace.reader.maximumRows) {
            attend(first..<min(first + workspace.reader.maximumRows, rows), batch, rotary, workspace)
        }
        let (operand, outputs) = (workspace.headsOperand, workspace.headOutputs.pointer)
        let forms = output.inputForms
        let heads =
            takesHeads(processor)
            ? operand.loaded(outputs, rows: rows, columns: output.columns, for: forms)
            : operand.load(outputs, rows: rows, columns: output.columns, for: forms, processor)
        processor.team.expect(next)
        processor.multiply(heads, by: output, into: result)
    }

    /// workspace.queries [rows, heads, nope + rope], not yet rotated; and the rows' latents go into the cache.
    private func makeQueries(_ input: Activations, _ batch: Batch, _ workspace: Workspace) {
        let processor = workspace.processor
        let queries = workspace.queries.pointer
        let rows = 0..<input.rows
        switch query {
        case .whole(let matrix):
            processor.team.expect(Prefetches(processor.prefetch(of: unowned.keys)))
            processor.multiply(input, by: (matrix, latentDown), into: (queries, workspace.latents.pointer))
            forEachRow(rows, workspace) { remember($0, batch, workspace) }
        case .lowRank(let down, let norm, let up):
            let ranks = workspace.queryRanks.pointer
            processor.team.expect(Prefetches(processor.prefetch(of: up.unowned, inputRows: input.rows)))
            processor.multiply(input, by: (down, latentDown), into: (ranks, workspace.latents.pointer))
            forEachRow(rows, workspace) { row in
                let rank = ranks + row * down.rows
                norm.apply(rank, into: rank, processor)
                workspace.rankOperand.take(
                    row: row, rank, columns: down.rows, for: up.inputForms, processor.kernels)
                remember(row, batch, workspace)
            }
            let operand = workspace.rankOperand.loaded(
                ranks, rows: input.rows, columns: down.rows, for: up.inputForms)
            processor.team.expect(Prefetches(processor.prefetch(of: unowned.keys)))
            processor.multiply(operand, by: up, into: queries)
        }
    }

    /// Puts a row's normed latent and rotated key into its sequence's cache.
    private func remember(_ index: Int, _ batch: Batch, _ workspace: Workspace) {
        let latent = workspace.latents.pointer + index * cacheWidth
        let (kernels, key) = (workspace.processor.kernels, latent + config.latentRank)
        latentNorm.apply(latent, into: latent, workspace.processor)
        kernels.rotate(key, by: workspace.turns.of(index), count: config.ropeDimension, into: key)
        let row = batch.rows[index]
        let place = batch.caches[row.segment].row(layer: layer, position: row.position)
        kernels.store(latent, count: cacheWidth, as: workspace.reader.dtype, in: place)
    }

    /// workspace.headOutputs [rows, heads, value] for a tile of rows.
    private func attend(_ tile: Range<Int>, _ batch: Batch, _ rotary: Rotary, _ workspace: Workspace) {
        absorb(tile, workspace)
        workspace.runs.removeAll(keepingCapacity: true)
        batch.forEachRun(in: tile) { run in
            let cache = batch.caches[run.segment].view(
                layer: layer, latent: config.latentRank, scale: rotary.softmaxScale)
            workspace.runs.append(LatentReader.Run(cache: cache, rows: run.rows, positions: run.position + 1))
        }
        let (processor, intake) = (workspace.processor, intake(workspace))
        let afterwards = prefetch(after: tile, batch, processor)
        processor.team.expect(Prefetches(processor.prefetch(of: unowned.values), then: afterwards))
        workspace.reader.read(workspace.runs, processor) { intake.take($0) }
        processor.team.expect(afterwards.map { Prefetches($0) })
        project(tile, intake, workspace)
    }

    /// What the threads begin with after a tile's values; nil where it is not the last tile.
    private func prefetch(after tile: Range<Int>, _ batch: Batch, _ processor: Processor) -> Prefetch? {
        guard tile.upperBound == batch.rowCount else { return nil }
        return processor.prefetch(of: output.unowned, inputRows: batch.rowCount)
    }

    /// Takes in the summed latents of queries, for the product with their heads' values.
    private struct LatentIntake {
        let operand: Operand
        let latents: UnsafeMutablePointer<Float>
        let rank: Int
        let forms: RowForms
        let kernels: KernelSet

        func take(_ queries: Range<Int>) {
            for query in queries {
                operand.take(row: query, latents + query * rank, columns: rank, for: forms, kernels)
            }
        }
    }

    private func intake(_ workspace: Workspace) -> LatentIntake {
        LatentIntake(
            operand: workspace.latentOperand, latents: workspace.reader.latents, rank: config.latentRank,
            forms: values[0].inputForms, kernels: workspace.processor.kernels)
    }

    /// The reader's queries [tile, heads, latent + rope]. An item is a head of some rows.
    private func absorb(_ tile: Range<Int>, _ workspace: Workspace) {
        let reader = workspace.reader
        let absorption = QueryAbsorption(
            heads: config.headCount, nope: config.nopeDimension, rope: config.ropeDimension, rank: config.latentRank,
            rows: tile.count, firstRow: tile.lowerBound, queries: workspace.queries.pointer, turns: workspace.turns,
            operand: workspace.queryOperand, target: reader.queries, dtype: reader.dtype, latents: reader.latents,
            scratch: workspace.headScratch, kernels: workspace.processor.kernels)
        forEachHead(tile.count, workspace) { head, rows in
            absorption.absorb(rows, head: head, by: unowned.keys[head])
        }
    }

    /// Calls `body` in parallel with each head and rows of it, as many as hide what widening its weights costs.
    private func forEachHead(_ rows: Int, _ workspace: Workspace, _ body: (_ head: Int, _ rows: Range<Int>) -> Void) {
        let parts = (rows + Self.rowsOfHead - 1) / Self.rowsOfHead
        let most = (rows + parts - 1) / parts
        workspace.processor.team.forEachRun(parts * config.headCount) { run in
            for index in run {
                let (head, part) = index.quotientAndRemainder(dividingBy: parts)
                body(head, part * most..<min((part + 1) * most, rows))
            }
        }
    }

    /// workspace.headOutputs of the tile, taken in for the output's product: each head's summed latents through its
    /// value matrix.
    private func project(_ tile: Range<Int>, _ intake: LatentIntake, _ workspace: Workspace) {
        let input = workspace.latentOperand.loaded(
            workspace.reader.latents, rows: tile.count * config.headCount, columns: config.latentRank,
            for: values[0].inputForms)
        let (size, kernels) = (config.valueDimension, workspace.processor.kernels)
        let stride = config.headCount * size
        let outputs = workspace.headOutputs.pointer
        let operand = takesHeads(workspace.processor) ? workspace.headsOperand : nil
        let (scratch, reader) = (workspace.headScratch, workspace.reader)
        forEachHead(tile.count, workspace) { head, rows in
            for row in rows { reader.end(row: row, heads: head..<head + 1, kernels) { intake.take($0) } }
            let latents = input.rows(from: head, by: config.headCount).slice(rows: rows)
            let (value, place) = (unowned.values[head], (tile.lowerBound + rows.lowerBound) * stride + head * size)
            guard let operand, rows.count > 1 else {
                kernels.product(value, rows: 0..<size, latents, into: outputs + place, stride: stride)
                operand?.take(outputs + place, count: size, at: place, for: .bf16, kernels)
                return
            }
            // In a thread's own memory until they are rounded: at the distance of the outputs' rows few of them would
            // fit a cache.
            scratch.withScratch { scratch in
                let dense = scratch.assumingMemoryBound(to: Float.self)
                kernels.product(value, rows: 0..<size, latents, into: dense, stride: size)
                for row in 0..<rows.count {
                    operand.take(dense + row * size, count: size, at: place + row * stride, for: .bf16, kernels)
                }
            }
        }
    }

    /// Whether heads are taken in one by one: codes want whole rows, and f32 nothing.
    private func takesHeads(_ processor: Processor) -> Bool {
        processor.compute == .fast && output.inputForms == .bf16
    }

    /// Calls `body` in parallel with rows that want next to no arithmetic.
    private func forEachRow(_ rows: Range<Int>, _ workspace: Workspace, _ body: (Int) -> Void) {
        workspace.processor.team.forEach((rows.count + Self.rowsPerItem - 1) / Self.rowsPerItem) { item in
            let first = rows.lowerBound + item * Self.rowsPerItem
            for row in first..<min(first + Self.rowsPerItem, rows.upperBound) { body(row) }
        }
    }

    /// What `forward` reads its input as.
    var inputForms: RowForms {
        switch query {
        case .whole(let matrix): matrix.inputForms.union(latentDown.inputForms)
        case .lowRank(let down, _, _): down.inputForms.union(latentDown.inputForms)
        }
    }

    /// What the items of a loop over heads need.
    static func scratchByteCount(_ config: ModelConfig) -> Int {
        max(
            QueryAbsorption.scratchByteCount(rows: rowsOfHead),
            rowsOfHead * config.valueDimension * MemoryLayout<Float>.stride)
    }

    private var cacheWidth: Int { config.latentRank + config.ropeDimension }

    private static func query(from weights: DenseWeights, _ names: LayerTensorNames) throws -> Query {
        let checkpoint = weights.checkpoint
        let config = checkpoint.config
        let width = config.headCount * (config.nopeDimension + config.ropeDimension)
        guard let rank = config.queryRank else {
            return .whole(try weights.matrix(names.query, rows: width, columns: config.hiddenSize, .query))
        }
        return .lowRank(
            down: try weights.matrix(names.queryDown, rows: rank, columns: config.hiddenSize, .queryDown),
            norm: RMSNorm(gain: try checkpoint.vector(names.queryNorm, count: rank), epsilon: normEpsilon),
            up: try weights.matrix(names.queryUp, rows: width, columns: rank, .queryUp))
    }

    /// So few rows are done before another thread has come to help.
    private static let rowsPerItem = 4
    /// Enough for the weights that a product widens for them.
    private static let rowsOfHead = 128
    /// Fixed in the published code for the two norms inside attention, whatever rms_norm_eps says.
    private static let normEpsilon: Float = 1e-6
}
