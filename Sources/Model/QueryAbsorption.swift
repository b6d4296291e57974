internal import Kernels

/// What the items of one loop over heads bring into the latent space. It holds what they share, so that threads do not
/// fight for counts of references.
struct QueryAbsorption {
    let heads: Int
    let nope: Int
    let rope: Int
    let rank: Int
    /// Rows of the loop, and the first of them among the batch's.
    let rows: Int
    let firstRow: Int
    /// [batch rows, heads, nope + rope]
    let queries: UnsafeMutablePointer<Float>
    let turns: Turns
    let operand: Operand
    /// The reader's queries [rows, heads, rank + rope], in `dtype`, and its latents, which are free meanwhile.
    let target: UnsafeMutableRawPointer
    let dtype: LatentCacheView.DType
    let latents: UnsafeMutablePointer<Float>
    let scratch: ScratchPool
    let kernels: KernelSet

    /// Some rows of a head: q_nope through its key matrix, q_rope rotated.
    func absorb(_ rows: Range<Int>, head: Int, by key: UnownedMatrix) {
        take(rows, head: head, for: key.inputForms)
        let first = head * self.rows + rows.lowerBound
        let input = operand.loaded(
            query(rows.lowerBound, head), rows: rows.count, columns: nope, stride: heads * (nope + rope), from: first,
            for: key.inputForms)
        // A row's own place is as good as a thread's, and no thread waits for it.
        guard rows.count > 1 else { return absorb(rows, head: head, input, by: key, in: latents + first * rank) }
        scratch.withScratch { scratch in
            absorb(rows, head: head, input, by: key, in: scratch.assumingMemoryBound(to: Float.self))
        }
    }

    /// Takes in q_nope, a head's rows side by side, and puts q_rope where it is read.
    private func take(_ rows: Range<Int>, head: Int, for forms: RowForms) {
        for row in rows {
            let query = query(row, head)
            operand.take(row: head * self.rows + row, query, columns: nope, for: forms, kernels)
            kernels.rotate(query + nope, by: turns.of(firstRow + row), count: rope, into: query + nope)
            kernels.store(query + nope, count: rope, as: dtype, in: target, at: place(row, head) + rank)
        }
    }

    /// As many columns of the latent at a time as a cache keeps until they are put where they are read.
    private func absorb(
        _ rows: Range<Int>, head: Int, _ input: Activations, by key: UnownedMatrix,
        in products: UnsafeMutablePointer<Float>
    ) {
        let most = min(rank, Processor.wholePanels(Self.valuesAtOnce / rows.count))
        for column in stride(from: 0, to: rank, by: most) {
            let columns = column..<min(column + most, rank)
            kernels.product(key, rows: columns, input, into: products, stride: columns.count)
            for (index, row) in rows.enumerated() {
                kernels.store(
                    products + index * columns.count, count: columns.count, as: dtype, in: target,
                    at: place(row, head) + column)
            }
        }
    }

    private func query(_ row: Int, _ head: Int) -> UnsafeMutablePointer<Float> {
        queries + ((firstRow + row) * heads + head) * (nope + rope)
    }

    private func place(_ row: Int, _ head: Int) -> Int { (row * heads + head) * (rank + rope) }

    /// What so many rows of a head leave in scratch.
    static func scratchByteCount(rows: Int) -> Int {
        (valuesAtOnce + rows * Processor.rowsPerPanel) * MemoryLayout<Float>.stride
    }

    /// 64 KiB, a small part of a second-level cache.
    private static let valuesAtOnce = 1 << 14
}
