internal import CKernels

/// What computes: an instruction set's kernels, a team of threads and the arithmetic of products.
package struct Processor: Sendable {
    package let kernels: KernelSet
    package let team: ThreadTeam
    package let compute: Compute

    /// Blocks of a matrix for each thread, if they don't come out too small or too large: enough to level the threads.
    /// With few rows of input memory bounds a product, and each block's beginning comes late.
    private static let blocksPerThread = (few: 2, many: 4)
    private static let mostRowsPerBlock = (few: 256, many: 128)
    private static let fewRows = 16
    /// Multiply-adds in a block: a microsecond or more, well above the cost of handing it out.
    private static let leastWorkPerBlock = 1 << 16
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
            team.forEach(blocks.count) { block in
                let rows = blocks[block]
                kernels.product(unowned, rows: rows, input, into: output + rows.lowerBound, stride: stride)
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
        withExtendedLifetime(matrices) {
            team.forEach(blocks.0.count + blocks.1.count) { index in
                let isFirst = index < blocks.0.count
                let matrix = isFirst ? unowned.0 : unowned.1
                let rows = isFirst ? blocks.0[index] : blocks.1[index - blocks.0.count]
                kernels.product(
                    matrix, rows: rows, input, into: (isFirst ? outputs.0 : outputs.1) + rows.lowerBound,
                    stride: matrix.rows)
            }
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
        let blocks = team.threads * (isFew ? Self.blocksPerThread.few : Self.blocksPerThread.many)
        let even = min(matrix.rows / blocks, isFew ? Self.mostRowsPerBlock.few : Self.mostRowsPerBlock.many)
        let least = Self.leastWorkPerBlock / max(matrix.columns * inputRows, 1)
        return RowBlocks(rows: matrix.rows, size: Self.wholePanels(max(even, least, 1)))
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
