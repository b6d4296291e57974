package import Checkpoint
package import Experts
package import Kernels

/// The buffers of one forward pass, made once for the largest batch.
package final class Workspace {
    package let processor: Processor
    package let maximumRows: Int

    // [rows, hidden]
    package let residual: AlignedBuffer<Float>
    package let normed: AlignedBuffer<Float>
    /// What is to be added to the residual: what an attention or a feed-forward has made.
    let branch: AlignedBuffer<Float>
    let hiddenOperand: Operand

    // Attention, all rows
    let turns: Turns
    let queryRanks: AlignedBuffer<Float>
    let rankOperand: Operand
    let queries: AlignedBuffer<Float>
    let latents: AlignedBuffer<Float>
    let headOutputs: AlignedBuffer<Float>
    let headsOperand: Operand

    // Attention, one tile of rows
    let queryOperand: Operand
    let reader: LatentReader
    let latentOperand: Operand
    let headScratch: ScratchPool
    var runs: [LatentReader.Run] = []

    // Feed-forward
    let gates: AlignedBuffer<Float>
    let ups: AlignedBuffer<Float>
    let gateOperand: Operand
    let routerScores: AlignedBuffer<Float>
    package let routing: Routing

    package init(_ config: ModelConfig, processor: Processor, maximumRows rows: Int) {
        let compute = processor.compute
        self.processor = processor
        maximumRows = rows
        let hidden = rows * config.hiddenSize
        residual = AlignedBuffer(count: hidden)
        normed = AlignedBuffer(count: hidden)
        branch = AlignedBuffer(count: hidden)
        hiddenOperand = Operand(rows: rows, columns: config.hiddenSize, compute: compute)

        let heads = config.headCount
        let queryWidth = heads * (config.nopeDimension + config.ropeDimension)
        let cacheWidth = config.latentRank + config.ropeDimension
        turns = Turns(maximumRows: rows, dimension: config.ropeDimension)
        queryRanks = AlignedBuffer(count: rows * (config.queryRank ?? 0))
        rankOperand = Operand(rows: rows, columns: config.queryRank ?? 0, compute: compute)
        queries = AlignedBuffer(count: rows * queryWidth)
        latents = AlignedBuffer(count: rows * cacheWidth)
        headOutputs = AlignedBuffer(count: rows * heads * config.valueDimension)
        headsOperand = Operand(rows: rows, columns: heads * config.valueDimension, compute: compute)

        reader = LatentReader(
            maximumRows: rows, heads: heads, latent: config.latentRank, rope: config.ropeDimension,
            dtype: LatentCacheView.DType(compute))
        queryOperand = Operand(
            rows: reader.maximumRows * heads, columns: config.nopeDimension, compute: compute)
        latentOperand = Operand(
            rows: reader.maximumRows * heads, columns: config.latentRank, compute: compute)
        headScratch = ScratchPool(byteCount: LatentAttention.scratchByteCount(config))

        let width = max(
            config.denseLayerCount > 0 ? config.intermediateSize : 0,
            config.sharedIntermediateSize)
        gates = AlignedBuffer(count: rows * width)
        ups = AlignedBuffer(count: rows * width)
        gateOperand = Operand(rows: rows, columns: width, compute: compute)
        routerScores = AlignedBuffer(count: 2 * rows * config.expertCount)
        routing = Routing(maximumTokens: rows, expertsPerToken: config.expertsPerToken)
    }

    /// residual += branch.
    func addBranch(rows: Int) {
        let columns = residual.count / maximumRows
        processor.team.forEach(rows) { row in
            processor.kernels.accumulate(
                branch.pointer + row * columns, weight: 1, count: columns, into: residual.pointer + row * columns)
        }
    }
}
