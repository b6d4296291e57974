internal import CKernels

/// What computes: an instruction set's kernels, a team of threads and the arithmetic of products.
package struct Processor: Sendable {
    package let kernels: KernelSet
    package let team: ThreadTeam
    package let compute: Compute

    /// Blocks of a matrix for each thread, if they don't come out too small or too large: enough to level the threads.
    private static let blocksPerThread = 4
    private static let mostRowsPerBlock = 128
    private static let fewRows = 16
    /// Where few rows of input meet them, memory bounds a product: what a thread reads in some 10 microseconds.
    private static let mostWeightsPerBlock = 1 << 18
    /// Multiply-adds in a block: a microsecond or more, well above the cost of handing it out.
    private static let leastWorkPerBlock = 1 << 16
    /// Products that stay in a core's second-level cache: 128 KiB.
    package static let cachedProducts = 1 << 15
    /// Values that a thread takes at a time where there is next to no arithmetic.
    private static let valuesPerBlock = 16384

    /// - Parameter kernels: the best that this machine can run if nil.
    package init(threads: Int, compute: Compute, kernels: KernelSet? = nil) {
        self.kernels = kernels ?? KernelSet.available()[0]
        self.team = ThreadTeam(threads: threads)
        self.compute = compute
    }

    /// `output[t * stride + n] = sum over c of input[t, c] * matrix[n, c]`; parallel over blocks of matrix rows.
    /// - Parameter stride: floats from one row of output to the next; the matrix's rows if nil.
    package func multiply(
        _ input: Activations, by matrix: WeightMatrix, into output: UnsafeMutablePointer<Float>, stride: Int? = nil
    ) {
        let stride = stride ?? matrix.rows
        let unowned = matrix.unowned
        let blocks = blocks(of: unowned, inputRows: input.rows)
        withExtendedLifetime(matrix) {
            team.forEachRun(blocks.count) { run in
                multiply(input, by: unowned, run, of: blocks, into: output, stride: stride)
            }
        }
    }

    /// Two products of one input in one parallel loop; each output's rows are as wide as its matrix has rows.
    package func multiply(
        _ input: Activations, by matrices: (WeightMatrix, WeightMatrix),
        into outputs: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>)
    ) {
        let unowned = (matrices.0.unowned, matrices.1.unowned)
        let blocks = (
            blocks(of: unowned.0, inputRows: input.rows), blocks(of: unowned.1, inputRows: input.rows)
        )
        let end = blocks.0.count
        withExtendedLifetime(matrices) {
            team.forEachRun(end + blocks.1.count) { run in
                let (first, rest) = (
                    run.clamped(to: 0..<end), max(run.lowerBound, end) - end..<max(run.upperBound, end) - end
                )
                multiply(input, by: unowned.0, first, of: blocks.0, into: outputs.0, stride: unowned.0.rows)
                multiply(input, by: unowned.1, rest, of: blocks.1, into: outputs.1, stride: unowned.1.rows)
            }
        }
    }

    private func multiply(
        _ input: Activations, by matrix: UnownedMatrix, _ run: Range<Int>, of blocks: RowBlocks,
        into output: UnsafeMutablePointer<Float>, stride: Int
    ) {
        guard !run.isEmpty else { return }
        let rows = blocks[run]
        kernels.product(matrix, rows: rows, input, into: output + rows.lowerBound, stride: stride)
    }

    /// Calls `body` with as many of a matrix's rows at a time as have no more than `cachedProducts` products with so
    /// many rows of input, but at least a panel's.
    package static func forEachCached(of rows: Range<Int>, inputRows: Int, _ body: (Range<Int>) -> Void) {
        let size = max(1, cachedProducts / (inputRows * rowsPerPanel)) * rowsPerPanel
        for first in stride(from: rows.lowerBound, to: rows.upperBound, by: size) {
            body(first..<min(first + size, rows.upperBound))
        }
    }

    /// Calls `body` with blocks of rows that want next to no arithmetic: in parallel if they are many.
    package func forEachBlock(of rows: Int, columns: Int, _ body: (Range<Int>) -> Void) {
        forEachBlock(of: rows, size: max(1, Self.valuesPerBlock / max(columns, 1)), body)
    }

    /// Rounds f32 values to bf16, in parallel if they are many.
    package func narrow(_ values: UnsafePointer<Float>, count: Int, into output: UnsafeMutablePointer<UInt16>) {
        forEachBlock(of: count, size: Self.valuesPerBlock) { block in
            kernels.narrow(values + block.lowerBound, count: block.count, into: output + block.lowerBound)
        }
    }

    /// Blocks of a matrix's rows, of a size that suits products with so many rows of input.
    package func blocks(of matrix: UnownedMatrix, inputRows: Int) -> RowBlocks {
        let isFew = inputRows <= Self.fewRows
        let blocks = team.threads * Self.blocksPerThread
        let most = isFew ? Self.mostWeightsPerBlock / max(matrix.columns, 1) : Self.mostRowsPerBlock
        let even = min(matrix.rows / blocks, most)
        let least = Self.leastWorkPerBlock / max(matrix.columns * inputRows, 1)
        return RowBlocks(rows: matrix.rows, size: Self.wholePanels(max(even, least, 1)))
    }

    /// What each thread begins with in a loop over the blocks of a matrix.
    /// - Parameter second: another, whose blocks come after the first one's in the same loop.
    package func prefetch(of matrix: UnownedMatrix, and second: UnownedMatrix? = nil, inputRows: Int) -> Prefetch {
        let own = blocks(of: matrix, inputRows: inputRows)
        let count = own.count + (second.map { blocks(of: $0, inputRows: inputRows).count } ?? 0)
        let stride = matrix.byteCount(rows: team.firstRun(of: count) * own.size)
        return Prefetch(matrix.start, stride: stride, byteCount: stride)
    }

    /// The same in a loop over heads, each with a matrix of its own, which stand side by side.
    package func prefetch(of heads: [UnownedMatrix]) -> Prefetch {
        let stride = heads[0].byteCount(rows: heads[0].rows) * team.firstRun(of: heads.count)
        return Prefetch(heads[0].start, stride: stride, byteCount: stride)
    }

    /// As many rows or a few more, so that kernels have no rest.
    package static func wholePanels(_ rows: Int) -> Int {
        (rows + rowsPerPanel - 1) / rowsPerPanel * rowsPerPanel
    }

    /// Kernels go through a matrix's rows so many at a time.
    package static let rowsPerPanel = COHORT_PRODUCT_ROWS

    private func forEachBlock(of count: Int, size: Int, _ body: (Range<Int>) -> Void) {
        let blocks = RowBlocks(rows: count, size: size)
        team.forEach(blocks.count) { body(blocks[$0]) }
    }
}
