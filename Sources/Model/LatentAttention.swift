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
        output = try weights.matrix(
            names.output, rows: config.hiddenSize, columns: config.headCount * config.valueDimension, .output)
    }

    /// Writes the rows' latents into the cache and attends: result [rows, hidden] = attention(input [rows, hidden]).
    func forward(
        _ input: Activations, batch: Batch, rotary: Rotary, _ workspace: Workspace,
        into result: UnsafeMutablePointer<Float>
    ) {
        let rows = batch.rowCount
        let processor = workspace.processor
        makeTurns(batch, rotary, workspace)
        makeQueries(input, rotary, workspace)
        remember(batch, rotary, workspace)
        for first in stride(from: 0, to: rows, by: workspace.reader.maximumRows) {
            attend(first..<min(first + workspace.reader.maximumRows, rows), batch, rotary, workspace)
        }
        let heads = workspace.headsOperand.load(
            workspace.headOutputs.pointer, rows: rows, columns: output.columns, for: output.inputForms, processor)
        processor.multiply(heads, by: output, into: result)
    }

    private func makeTurns(_ batch: Batch, _ rotary: Rotary, _ workspace: Workspace) {
        workspace.processor.team.forEach(batch.rowCount) { row in
            rotary.turn(
                at: batch.rows[row].position, into: workspace.turns.pointer + row * config.ropeDimension)
        }
    }

    /// workspace.queries [rows, heads, nope + rope], the rope part rotated, and workspace.latents [rows, latent +
    /// rope].
    private func makeQueries(_ input: Activations, _ rotary: Rotary, _ workspace: Workspace) {
        let processor = workspace.processor
        let queries = workspace.queries.pointer
        switch query {
        case .whole(let matrix):
            processor.multiply(input, by: (matrix, latentDown), into: (queries, workspace.latents.pointer))
        case .lowRank(let down, let norm, let up):
            let ranks = workspace.queryRanks.pointer
            processor.multiply(input, by: (down, latentDown), into: (ranks, workspace.latents.pointer))
            norm.apply(ranks, rows: input.rows, into: ranks, processor)
            let operand = workspace.rankOperand.load(
                ranks, rows: input.rows, columns: down.rows, for: up.inputForms, processor)
            processor.multiply(operand, by: up, into: queries)
        }
        processor.team.forEach(input.rows) { row in
            for head in 0..<config.headCount {
                let part = queries + (row * config.headCount + head) * queryWidth + config.nopeDimension
                rotary.rotate(part, by: workspace.turns.pointer + row * config.ropeDimension)
            }
        }
    }

    /// Puts each row's normed latent and rotated key into its sequence's cache.
    private func remember(_ batch: Batch, _ rotary: Rotary, _ workspace: Workspace) {
        let processor = workspace.processor
        let latents = workspace.latents.pointer
        processor.team.forEach(batch.rowCount) { index in
            let latent = latents + index * cacheWidth
            latentNorm.apply(latent, into: latent, processor)
            rotary.rotate(
                latent + config.latentRank, by: workspace.turns.pointer + index * config.ropeDimension)
            let row = batch.rows[index]
            let place = batch.caches[row.segment].row(layer: layer, position: row.position)
            put(latent, count: cacheWidth, in: place, at: 0, workspace)
        }
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
        let (latents, rank) = (workspace.reader.latents, config.latentRank)
        workspace.reader.read(workspace.runs, workspace.processor) { queries in
            for query in queries {
                workspace.latentOperand.take(
                    row: query, latents + query * rank, columns: rank, for: values[0].inputForms,
                    workspace.processor.kernels)
            }
        }
        project(tile, workspace)
    }

    /// The reader's queries [tile, heads, latent + rope]: q_nope of each head through its key matrix, then q_rope.
    private func absorb(_ tile: Range<Int>, _ workspace: Workspace) {
        let width = config.headCount * queryWidth
        let queries = workspace.queries.pointer + tile.lowerBound * width
        let operand = workspace.queryOperand.load(
            queries, rows: tile.count * config.headCount, columns: config.nopeDimension, stride: queryWidth,
            for: keys[0].inputForms, workspace.processor)
        let (stride, rank) = (config.headCount * config.latentRank, config.latentRank)
        workspace.processor.team.forEach(config.headCount) { head in
            let rope = head * queryWidth + config.nopeDimension
            let latents = workspace.reader.latents + head * rank
            workspace.processor.kernels.product(
                keys[head], rows: 0..<rank, operand.rows(from: head, by: config.headCount), into: latents,
                stride: stride)
            for row in 0..<tile.count {
                let first = (row * config.headCount + head) * cacheWidth
                put(latents + row * stride, count: rank, in: workspace.reader.queries, at: first, workspace)
                put(
                    queries + row * width + rope, count: config.ropeDimension,
                    in: workspace.reader.queries, at: first + rank, workspace)
            }
        }
    }

    /// Stores values as the cache has them, `offset` values from `place`.
    private func put(
        _ values: UnsafePointer<Float>, count: Int, in place: UnsafeMutableRawPointer, at offset: Int,
        _ workspace: Workspace
    ) {
        switch workspace.processor.compute {
        case .f32:
            (place.assumingMemoryBound(to: Float.self) + offset).update(from: values, count: count)
        case .fast:
            workspace.processor.kernels.narrow(
                values, count: count, into: place.assumingMemoryBound(to: UInt16.self) + offset)
        }
    }

    /// workspace.headOutputs of the tile: each head's summed latents through its value matrix.
    private func project(_ tile: Range<Int>, _ workspace: Workspace) {
        let operand = workspace.latentOperand.loaded(
            workspace.reader.latents, rows: tile.count * config.headCount, columns: config.latentRank,
            for: values[0].inputForms)
        let stride = config.headCount * config.valueDimension
        workspace.processor.team.forEach(config.headCount) { head in
            workspace.processor.kernels.product(
                values[head], rows: 0..<config.valueDimension, operand.rows(from: head, by: config.headCount),
                into: workspace.headOutputs.pointer + tile.lowerBound * stride + head * config.valueDimension,
                stride: stride)
        }
    }

    /// What `forward` reads its input as.
    var inputForms: RowForms {
        switch query {
        case .whole(let matrix): matrix.inputForms.union(latentDown.inputForms)
        case .lowRank(let down, _, _): down.inputForms.union(latentDown.inputForms)
        }
    }

    private var queryWidth: Int { config.nopeDimension + config.ropeDimension }
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

    /// Fixed in the published code for the two norms inside attention, whatever rms_norm_eps says.
    private static let normEpsilon: Float = 1e-6
}
