internal import Synchronization

/// Attention of many rows to their sequences' latent caches on all threads: each item is a few rows, some heads and one
/// span of positions. A row's result does not depend on its company.
package final class LatentReader {
    /// Rows at consecutive positions of one sequence.
    package struct Run {
        package let cache: LatentCacheView
        /// Among the rows of this call.
        package let rows: Range<Int>
        /// The first row attends to positions 0 ..< positions, the next to one more, and so on.
        package let positions: Int

        package init(cache: LatentCacheView, rows: Range<Int>, positions: Int) {
            self.cache = cache
            self.rows = rows
            self.positions = positions
        }

        fileprivate func spanCount(row: Int) -> Int {
            (positions + row - rows.lowerBound - 1) / KernelSet.spanPositions + 1
        }

        fileprivate var spanCount: Int { spanCount(row: rows.upperBound - 1) }
    }

    /// The most rows of a call.
    package let maximumRows: Int
    /// [rows, heads, latent + rope] in the caches' dtype: what a call reads.
    package let queries: UnsafeMutableRawPointer
    /// [rows, heads, latent]: what a call writes; free before it.
    package var latents: UnsafeMutablePointer<Float> { sums.values.latents }
    private let heads: Int
    private let latent: Int
    private let rope: Int
    private let dtype: LatentCacheView.DType
    private let queryMemory: AlignedBuffer<UInt8>
    private let sums: Sums
    /// [spans of a round, rows, heads]
    private let parts: Sums
    private let scratch = Mutex<[AlignedBuffer<UInt8>]>([])
    private var pieces: [Run] = []

    private final class Sums {
        private let maxima: AlignedBuffer<Float>
        private let totals: AlignedBuffer<Float>
        private let latents: AlignedBuffer<Float>
        let values: LatentSums

        init(queries: Int, heads: Int, latent: Int) {
            maxima = AlignedBuffer(count: queries)
            totals = AlignedBuffer(count: queries)
            latents = AlignedBuffer(count: queries * latent)
            values = LatentSums(
                maxima: maxima.pointer, totals: totals.pointer, latents: latents.pointer, rowStride: heads)
        }
    }

    /// - Parameter maximumRows: made less where so many rows would take too much memory.
    package init(maximumRows: Int, heads: Int, latent: Int, rope: Int, dtype: LatentCacheView.DType) {
        self.maximumRows = min(maximumRows, max(1, Self.mostQueries / heads))
        self.heads = heads
        self.latent = latent
        self.rope = rope
        self.dtype = dtype
        let count = self.maximumRows * heads
        queryMemory = AlignedBuffer(count: count * (latent + rope) * dtype.byteSize)
        queries = UnsafeMutableRawPointer(queryMemory.pointer)
        sums = Sums(queries: count, heads: heads, latent: latent)
        parts = Sums(queries: max(count, Self.mostQueries), heads: heads, latent: latent)
    }

    /// - Parameters:
    ///   - runs: cover the rows from 0 on.
    ///   - finished: called in parallel for queries (row * heads + head) whose latents are there.
    package func read(_ runs: [Run], _ processor: Processor, finished: (Range<Int>) -> Void) {
        cut(runs)
        let rows = runs.last?.rows.upperBound ?? 0
        let spanCount = runs.lazy.map(\.spanCount).max() ?? 0
        let round = max(1, Self.mostQueries / max(rows * heads, 1))
        for first in stride(from: 0, to: spanCount, by: round) {
            let spans = first..<min(first + round, spanCount)
            attend(to: spans, rows: rows, processor)
            join(spans, rows: rows, processor, finished)
        }
    }

    /// Cuts runs into pieces of few rows.
    private func cut(_ runs: [Run]) {
        pieces.removeAll(keepingCapacity: true)
        let most = max(1, Self.queriesPerItem / heads)
        for run in runs {
            for first in stride(from: run.rows.lowerBound, to: run.rows.upperBound, by: most) {
                pieces.append(
                    Run(
                        cache: run.cache, rows: first..<min(first + most, run.rows.upperBound),
                        positions: run.positions + first - run.rows.lowerBound))
            }
        }
    }

    private func attend(to spans: Range<Int>, rows: Int, _ processor: Processor) {
        let perItem = headsPerItem(spans, threads: processor.team.threads)
        let groups = (heads + perItem - 1) / perItem
        processor.team.forEach(spans.count * pieces.count * groups) { item in
            let (rest, group) = item.quotientAndRemainder(dividingBy: groups)
            let (offset, piece) = rest.quotientAndRemainder(dividingBy: pieces.count)
            let (run, span) = (pieces[piece], spans.lowerBound + offset)
            guard span < run.spanCount else { return }
            let first = group * perItem
            let query = run.rows.lowerBound * heads + first
            let rowStride = heads * (latent + rope)
            let values = queries + query * (latent + rope) * dtype.byteSize
            withScratch { scratch in
                processor.kernels.attend(
                    run.cache,
                    LatentQueries(
                        values, rowStride: rowStride, rows: run.rows.count,
                        heads: min(perItem, heads - first), positions: run.positions),
                    span: span, scratch: scratch,
                    into: place(of: span, in: spans, rows: rows).from(query, latent: latent))
            }
        }
    }

    /// Joins the spans of a round row by row, and ends the rows that reach no further.
    private func join(
        _ spans: Range<Int>, rows: Int, _ processor: Processor, _ finished: (Range<Int>) -> Void
    ) {
        let perItem = pieces.count < processor.team.threads ? min(Self.fewestHeads, heads) : heads
        let groups = (heads + perItem - 1) / perItem
        processor.team.forEach(pieces.count * groups) { item in
            let (piece, group) = item.quotientAndRemainder(dividingBy: groups)
            let run = pieces[piece]
            let count = min(perItem, heads - group * perItem)
            for row in run.rows {
                let (first, spanCount) = (row * heads + group * perItem, run.spanCount(row: row))
                let sums = sums.values.from(first, latent: latent)
                for span in spans where span > 0 && span < spanCount {
                    let part = place(of: span, in: spans, rows: rows).from(first, latent: latent)
                    processor.kernels.join(part, to: sums, queries: count, run.cache)
                }
                guard spans.contains(spanCount - 1) else { continue }
                processor.kernels.end(sums, queries: count, run.cache)
                finished(first..<first + count)
            }
        }
    }

    /// Where the sums of a span go: the first span's are what the others join.
    private func place(of span: Int, in spans: Range<Int>, rows: Int) -> LatentSums {
        span == 0 ? sums.values : parts.values.from((span - spans.lowerBound) * rows * heads, latent: latent)
    }

    /// As many heads as share a block of positions well, but not so many that a thread has nothing to do.
    private func headsPerItem(_ spans: Range<Int>, threads: Int) -> Int {
        let items = pieces.reduce(0) { $0 + max(0, min($1.spanCount, spans.upperBound) - spans.lowerBound) }
        var count = min(heads, Self.queriesPerItem)
        while count > Self.fewestHeads, items * ((heads + count - 1) / count) < threads { count = (count + 1) / 2 }
        return count
    }

    private func withScratch(_ body: (UnsafeMutableRawPointer) -> Void) {
        let buffer =
            scratch.withLock { $0.popLast() }
            ?? AlignedBuffer(
                count: KernelSet.attentionScratch(latent: latent, rope: rope, queries: Self.queriesPerItem))
        body(UnsafeMutableRawPointer(buffer.pointer))
        scratch.withLock { $0.append(buffer) }
    }

    /// Queries whose sums are in memory at once, for each of the spans of a round: 128 heads of R1 take 300 kB a row.
    private static let mostQueries = 4096
    /// So many queries hide what bringing a block of positions into order costs; their sums fit a second-level cache.
    private static let queriesPerItem = 64
    /// With fewer heads an item's block of positions costs more than its products.
    private static let fewestHeads = 4
}
