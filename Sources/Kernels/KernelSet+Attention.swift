internal import CKernels

/// Rows of queries at consecutive positions of one sequence, some of their heads. Does not own its memory.
package struct LatentQueries {
    /// [rows, heads, latent + rope] values of the cache's dtype, 4-byte aligned.
    package let values: UnsafeRawPointer
    /// Values from one row to the next; even for bf16.
    package let rowStride: Int
    package let rows: Int
    package let heads: Int
    /// The first row attends to positions 0 ..< positions, the next to one more, and so on.
    package let positions: Int

    package init(_ values: UnsafeRawPointer, rowStride: Int, rows: Int, heads: Int, positions: Int) {
        precondition(positions > 0, "a row attends at least to itself")
        self.values = values
        self.rowStride = rowStride
        self.rows = rows
        self.heads = heads
        self.positions = positions
    }
}

/// What queries [rows, heads] have attended to so far: the largest score and, relative to it, the sum of the weights
/// and of the weighted latents. Does not own its memory.
package struct LatentSums {
    let maxima: UnsafeMutablePointer<Float>
    let totals: UnsafeMutablePointer<Float>
    /// [rows, heads, latent]
    package let latents: UnsafeMutablePointer<Float>
    /// Queries from one row to the next.
    let rowStride: Int

    package init(
        maxima: UnsafeMutablePointer<Float>, totals: UnsafeMutablePointer<Float>,
        latents: UnsafeMutablePointer<Float>, rowStride: Int
    ) {
        self.maxima = maxima
        self.totals = totals
        self.latents = latents
        self.rowStride = rowStride
    }

    /// The sums from a query on.
    package func from(_ query: Int, latent: Int) -> LatentSums {
        LatentSums(
            maxima: maxima + query, totals: totals + query, latents: latents + query * latent, rowStride: rowStride)
    }

    fileprivate var table: cohort_attention_sums {
        cohort_attention_sums(maxima: maxima, totals: totals, latents: latents, token_stride: rowStride)
    }
}

extension KernelSet {
    /// Bytes of scratch that `attend` wants for so many queries.
    package static func attentionScratch(latent: Int, rope: Int, queries: Int) -> Int {
        cohort_attention_scratch(UInt32(latent), UInt32(rope), UInt32(queries))
    }

    /// Stores values as caches and queries of this dtype have them, `offset` values from `place`.
    package func store(
        _ values: UnsafePointer<Float>, count: Int, as dtype: LatentCacheView.DType,
        in place: UnsafeMutableRawPointer, at offset: Int = 0
    ) {
        switch dtype {
        case .f32: (place.assumingMemoryBound(to: Float.self) + offset).update(from: values, count: count)
        case .bf16: narrow(values, count: count, into: place.assumingMemoryBound(to: UInt16.self) + offset)
        }
    }

    /// Attention to some positions of the cache alone, those of one part.
    package func attend(
        _ cache: LatentCacheView, _ queries: LatentQueries, positions: Range<Int>, scratch: UnsafeMutableRawPointer,
        into sums: LatentSums
    ) {
        var attention = cache.table
        var rows = cohort_queries(
            values: queries.values, token_stride: queries.rowStride, tokens: UInt32(queries.rows),
            heads: UInt32(queries.heads), positions: UInt32(queries.positions))
        var table = sums.table
        self.table.attend(
            &attention, &rows, UInt32(positions.lowerBound), UInt32(positions.upperBound), scratch, &table)
    }

    /// Joins the next part's sums of one row's queries to those of the parts before it.
    package func join(_ part: LatentSums, to sums: LatentSums, queries: Int, _ cache: LatentCacheView) {
        var attention = cache.table
        var (part, sums) = (part.table, sums.table)
        table.attend_join(&attention, UInt32(queries), &part, &sums)
    }

    /// Divides the latents of one row's queries by the weights: what the queries attended to, on the average.
    package func end(_ sums: LatentSums, queries: Int, _ cache: LatentCacheView) {
        var attention = cache.table
        var sums = sums.table
        table.attend_end(&attention, UInt32(queries), &sums)
    }
}
