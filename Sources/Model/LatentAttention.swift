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
        let (rows, processor) = (batch.rowCount, workspace.processor)
        workspace.turns.prepare(batch, rotary, processor)
        makeQueries(input, batch, rotary, workspace)
        for first in stride(from: 0, to: rows, by: workspace.reader.maximumRows) {
            attend(first..<min(first + workspace.reader.maximumRows, rows), batch, rotary, workspace)
        }
        let (operand, outputs) = (workspace.headsOperand, workspace.headOutputs.pointer)
        let forms = output.inputForms
        let heads =
            takesHeads(processor)
            ? operand.loaded(outputs, rows: rows, columns: output.columns, for: forms)
            : operand.load(outputs, rows: rows, columns: output.columns, for: forms, processor)
        processor.multiply(heads, by: output, into: result)
    }

    /// workspace.queries [rows, heads, nope + rope], not yet rotated; and the rows' latents go into the cache.
    private func makeQueries(_ input: Activations, _ batch: Batch, _ rotary: Rotary, _ workspace: Workspace) {
        let processor = workspace.processor
        let queries = workspace.queries.pointer
        let rows = 0..<input.rows
        switch query {
        case .whole(let matrix):
            processor.multiply(input, by: (matrix, latentDown), into: (queries, workspace.latents.pointer))
            forEachRow(rows, workspace) { remember($0, batch, rotary, workspace) }
        case .lowRank(let down, let norm, let up):
            let ranks = workspace.queryRanks.pointer
            processor.multiply(input, by: (down, latentDown), into: (ranks, workspace.latents.pointer))
            forEachRow(rows, workspace) { row in
                let rank = ranks + row * down.rows
                norm.apply(rank, into: rank, processor)
                workspace.rankOperand.take(
                    row: row, rank, columns: down.rows, for: up.inputForms, processor.kernels)
                remember(row, batch, rotary, workspace)
            }
            let operand = workspace.rankOperand.loaded(
                ranks, rows: input.rows, columns: down.rows, for: up.inputForms)
            processor.multiply(operand, by: up, into: queries)
        }
    }

    /// Puts a row's normed latent and rotated key into its sequence's cache.
    private func remember(_ index: Int, _ batch: Batch, _ rotary: Rotary, _ workspace: Workspace) {
        let latent = workspace.latents.pointer + index * cacheWidth
        latentNorm.apply(latent, into: latent, workspace.processor)
        rotary.rotate(latent + config.latentRank, by: workspace.turns.of(index))
        let row = batch.rows[index]
        let place = batch.caches[row.segment].row(layer: layer, position: row.position)
        put(latent, count: cacheWidth, in: place, at: 0, workspace)
    }

    /// workspace.headOutputs [rows, heads, value] for a tile of rows.
    private func attend(_ tile: Range<Int>, _ batch: Batch, _ rotary: Rotary, _ workspace: Workspace) {
        rotate(tile, rotary, workspace)
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

    /// Takes in a tile's queries for `absorb`, and puts q_rope of each head, rotated, into the reader's queries.
    private func rotate(_ tile: Range<Int>, _ rotary: Rotary, _ workspace: Workspace) {
        let width = config.headCount * queryWidth
        forEachRow(tile, workspace) { row in
            let (query, index) = (workspace.queries.pointer + row * width, row - tile.lowerBound)
            for head in 0..<config.headCount {
                workspace.queryOperand.take(
                    row: index * config.headCount + head, query + head * queryWidth, columns: config.nopeDimension,
                    for: keys[0].inputForms, workspace.processor.kernels)
                let part = query + head * queryWidth + config.nopeDimension
                let place = (index * config.headCount + head) * cacheWidth + config.latentRank
                rotary.rotate(part, by: workspace.turns.of(row))
                put(part, count: config.ropeDimension, in: workspace.reader.queries, at: place, workspace)
            }
        }
    }

    /// The reader's queries [tile, heads, latent + rope] but for q_rope: q_nope of each head through its key matrix, as
    /// many columns of the latent at a time as a cache keeps until they are put there.
    private func absorb(_ tile: Range<Int>, _ workspace: Workspace) {
        let (heads, rank) = (config.headCount, config.latentRank)
        let width = heads * queryWidth
        let queries = workspace.queries.pointer + tile.lowerBound * width
        let operand = workspace.queryOperand.loaded(
            queries, rows: tile.count * heads, columns: config.nopeDimension, stride: queryWidth,
            for: keys[0].inputForms)
        let most = max(1, min(rank, Processor.wholePanels(Self.absorbedValues / tile.count)))
        let blocks = (rank + most - 1) / most
        workspace.processor.team.forEach(heads * blocks) { index in
            let (head, block) = index.quotientAndRemainder(dividingBy: blocks)
            let columns = block * most..<min((block + 1) * most, rank)
            let latents = workspace.reader.latents + tile.count * (head * rank + columns.lowerBound)
            workspace.processor.kernels.product(
                keys[head], rows: columns, operand.rows(from: head, by: heads), into: latents, stride: columns.count)
            for row in 0..<tile.count {
                let place = (row * heads + head) * cacheWidth + columns.lowerBound
                put(
                    latents + row * columns.count, count: columns.count, in: workspace.reader.queries, at: place,
                    workspace)
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

    /// workspace.headOutputs of the tile, taken in for the output's product: each head's summed latents through its
    /// value matrix.
    private func project(_ tile: Range<Int>, _ workspace: Workspace) {
        let operand = workspace.latentOperand.loaded(
            workspace.reader.latents, rows: tile.count * config.headCount, columns: config.latentRank,
            for: values[0].inputForms)
        let size = config.valueDimension
        let stride = config.headCount * size
        let most = min(tile.count, Self.projectedRows)
        let parts = (tile.count + most - 1) / most
        workspace.processor.team.forEach(parts * config.headCount) { index in
            let (head, part) = index.quotientAndRemainder(dividingBy: parts)
            let rows = part * most..<min((part + 1) * most, tile.count)
            let first = (tile.lowerBound + rows.lowerBound) * stride
            project(
                operand.rows(from: head, by: config.headCount).slice(rows: rows), by: values[head], at: first,
                column: head * size,
                stride: stride, workspace)
        }
    }

    /// Rows of a head, to stand in columns from `column` on. Rows that are rounded stand side by side until they are:
    /// at the distance of the outputs' rows few of them would fit a cache.
    private func project(
        _ latents: Activations, by matrix: WeightMatrix, at first: Int, column: Int, stride: Int,
        _ workspace: Workspace
    ) {
        let outputs = workspace.headOutputs.pointer + first
        let (kernels, size) = (workspace.processor.kernels, matrix.rows)
        guard takesHeads(workspace.processor) else {
            kernels.product(matrix, rows: 0..<size, latents, into: outputs + column, stride: stride)
            return
        }
        let dense = outputs + latents.rows * column
        kernels.product(matrix, rows: 0..<size, latents, into: dense, stride: size)
        for row in 0..<latents.rows {
            workspace.headsOperand.take(
                dense + row * size, count: size, at: first + row * stride + column, for: .bf16, kernels)
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

    /// So few rows are done before another thread has come to help.
    private static let rowsPerItem = 4
    /// A thread's absorbed queries in f32: 128 KiB, less than a second-level cache.
    private static let absorbedValues = 1 << 15
    /// Enough for the weights that a product widens for them.
    private static let projectedRows = 128
    /// Fixed in the published code for the two norms inside attention, whatever rms_norm_eps says.
    private static let normEpsilon: Float = 1e-6
}
