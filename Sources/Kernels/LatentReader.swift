/// Attention of many rows to their sequences' latent caches on all threads: each item is a few rows, some heads and one
/// part of the positions. A row's result does not depend on its company.
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

        /// What a row attends to.
        fileprivate func positions(row: Int) -> Int { positions + row - rows.lowerBound }

        fileprivate var lastPositions: Int { positions(row: rows.upperBound - 1) }
    }

    package let dtype: LatentCacheView.DType
    /// The most rows of a call.
    package let maximumRows: Int
    /// [rows, heads, latent + rope] in the caches' dtype: what a call reads.
    package let queries: UnsafeMutableRawPointer
    /// [rows, heads, latent]: what a call writes; free before it.
    package var latents: UnsafeMutablePointer<Float> { sums.values.latents }
    private let heads: Int
    private let latent: Int
    private let rope: Int
    private let queryMemory: AlignedBuffer<UInt8>
    private let sums: Sums
    /// [parts of a round, rows, heads]
    private let parts: Sums
    private let scratch: ScratchPool
    private var pieces: [Run] = []
    /// [rows] the piece that a row is of.
    private var pieceOfRow: [Int] = []
    /// What `read` has left to `end`.
    private var last: Round?

    /// How the work is cut into items.
    private struct Division {
        let heads: Int
        let parts: LatentParts

        /// Whole heads first, then half as many and so on.
        static func halved(from most: Int, to fewest: Int, parts: LatentParts) -> [Division] {
            var divisions = [Division(heads: most, parts: parts)]
            while let last = divisions.last, last.heads > fewest {
                let half = (last.heads / 2 + LatentReader.fewestHeads - 1) / LatentReader.fewestHeads
                divisions.append(Division(heads: half * LatentReader.fewestHeads, parts: parts))
            }
            return divisions
        }
    }

    /// Parts whose sums are in memory at once.
    private struct Round {
        let parts: Range<Int>
        let rows: Int
        let division: Division
    }

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
        scratch = ScratchPool(
            byteCount: KernelSet.attentionScratch(latent: latent, rope: rope, queries: Self.queriesPerItem))
        sums = Sums(queries: count, heads: heads, latent: latent)
        parts = Sums(queries: max(count, Self.mostQueries), heads: heads, latent: latent)
    }

    /// Attends. Queries that were attended to in parts are left for `end`, whose caller has a loop over them anyway.
    /// - Parameters:
    ///   - runs: cover the rows from 0 on.
    ///   - finished: called in parallel for queries (row * heads + head) whose latents are there.
    package func read(_ runs: [Run], _ processor: Processor, finished: (Range<Int>) -> Void) {
        cut(runs)
        let rows = runs.last?.rows.upperBound ?? 0
        let division = divide(threads: processor.team.threads)
        let partCount = division.parts.count(pieces.first?.lastPositions ?? 0)
        let roundParts = max(1, Self.mostQueries / max(rows * heads, 1))
        for first in stride(from: 0, to: partCount, by: roundParts) {
            let round = Round(parts: first..<min(first + roundParts, partCount), rows: rows, division: division)
            attend(round, processor, finished)
            if round.parts.upperBound < partCount { join(round, processor, finished) }
            last = partCount > 1 ? round : nil
        }
    }

    /// Joins the parts of some heads of a row; once for each after `read`, on any thread.
    /// - Parameter finished: as in `read`, where that has not called it.
    package func end(row: Int, heads: Range<Int>, _ kernels: KernelSet, finished: (Range<Int>) -> Void) {
        guard let last else { return }
        let run = pieces[pieceOfRow[row]]
        if last.division.parts.count(run.lastPositions) > 1 { join(row, heads, run, last, kernels, finished) }
    }

    /// Cuts runs into pieces of few rows, those that attend to most first: the last items are to be short.
    private func cut(_ runs: [Run]) {
        pieces.removeAll(keepingCapacity: true)
        let most = max(1, Self.queriesPerItem / heads)
        for run in runs {
            for first in stride(from: run.rows.lowerBound, to: run.rows.upperBound, by: most) {
                let rows = first..<min(first + most, run.rows.upperBound)
                pieces.append(Run(cache: run.cache, rows: rows, positions: run.positions(row: first)))
            }
        }
        pieces.sort { $0.lastPositions > $1.lastPositions }
        pieceOfRow.removeAll(keepingCapacity: true)
        pieceOfRow.append(contentsOf: repeatElement(0, count: runs.last?.rows.upperBound ?? 0))
        for (index, piece) in pieces.enumerated() { for row in piece.rows { pieceOfRow[row] = index } }
    }

    /// Few parts of many heads, unless that leaves threads without work.
    private func divide(threads: Int) -> Division {
        let most = min(heads, Self.queriesPerItem)
        var (blocks, parts) = (0, 0)
        for piece in pieces {
            blocks += LatentParts.blocks(piece.lastPositions)
            parts += LatentParts.many.count(piece.lastPositions)
        }
        let longest = LatentParts.longest(pieces.first?.lastPositions ?? 0)
        for division in Division.halved(from: most, to: Self.sharingHeads, parts: .few) {
            let groups = (heads + division.heads - 1) / division.heads
            if isLevel(blocks * groups, longest: longest, threads: threads) { return division }
        }
        let many = Division.halved(from: most, to: Self.fewestHeads, parts: .many)
        return many.first { parts * ((heads + $0.heads - 1) / $0.heads) >= threads } ?? many[many.count - 1]
    }

    /// Whether threads that take items of up to `longest` blocks are at work most of the time.
    private func isLevel(_ blocks: Int, longest: Int, threads: Int) -> Bool {
        let turn = longest * threads
        let turns = (blocks + turn - 1) / max(turn, 1)
        return threads == 1 || turns * turn * Self.leastWork.of <= blocks * Self.leastWork.every
    }

    private func attend(_ round: Round, _ processor: Processor, _ finished: (Range<Int>) -> Void) {
        let division = round.division
        let groups = (heads + division.heads - 1) / division.heads
        processor.team.forEach(round.parts.count * pieces.count * groups) { item in
            let (rest, group) = item.quotientAndRemainder(dividingBy: groups)
            let (offset, piece) = rest.quotientAndRemainder(dividingBy: pieces.count)
            let (run, part) = (pieces[piece], round.parts.lowerBound + offset)
            let partCount = division.parts.count(run.lastPositions)
            guard part < partCount else { return }
            let first = group * division.heads
            let count = min(division.heads, heads - first)
            attend(run, heads: first..<first + count, part, round, processor)
            guard partCount == 1 else { return }
            for row in run.rows {
                end(row * heads + first..<row * heads + first + count, run, processor.kernels, finished)
            }
        }
    }

    private func attend(_ run: Run, heads range: Range<Int>, _ part: Int, _ round: Round, _ processor: Processor) {
        let query = run.rows.lowerBound * heads + range.lowerBound
        let rowStride = heads * (latent + rope)
        let values = queries + query * (latent + rope) * dtype.byteSize
        scratch.withScratch { scratch in
            processor.kernels.attend(
                run.cache,
                LatentQueries(
                    values, rowStride: rowStride, rows: run.rows.count, heads: range.count, positions: run.positions),
                positions: round.division.parts.positions(of: part), scratch: scratch,
                into: place(of: part, round).from(query, latent: latent))
        }
    }

    /// Joins the parts of a round that is not the last one, and ends the rows that reach no further.
    private func join(_ round: Round, _ processor: Processor, _ finished: (Range<Int>) -> Void) {
        let perItem = pieces.count < processor.team.threads ? min(Self.joinedHeads, heads) : heads
        let groups = (heads + perItem - 1) / perItem
        processor.team.forEach(pieces.count * groups) { item in
            let (piece, group) = item.quotientAndRemainder(dividingBy: groups)
            let run = pieces[piece]
            guard round.division.parts.count(run.lastPositions) > 1 else { return }
            let range = group * perItem..<min((group + 1) * perItem, heads)
            for row in run.rows { join(row, range, run, round, processor.kernels, finished) }
        }
    }

    private func join(
        _ row: Int, _ range: Range<Int>, _ run: Run, _ round: Round, _ kernels: KernelSet,
        _ finished: (Range<Int>) -> Void
    ) {
        let queries = row * heads + range.lowerBound..<row * heads + range.upperBound
        let partCount = round.division.parts.count(run.positions(row: row))
        let sums = sums.values.from(queries.lowerBound, latent: latent)
        for part in round.parts where part > 0 && part < partCount {
            let part = place(of: part, round).from(queries.lowerBound, latent: latent)
            kernels.join(part, to: sums, queries: queries.count, run.cache)
        }
        if round.parts.contains(partCount - 1) { end(queries, run, kernels, finished) }
    }

    private func end(
        _ queries: Range<Int>, _ run: Run, _ kernels: KernelSet, _ finished: (Range<Int>) -> Void
    ) {
        kernels.end(
            sums.values.from(queries.lowerBound, latent: latent), queries: queries.count, run.cache)
        finished(queries)
    }

    /// Where the sums of a part go: the first part's are what the others join.
    private func place(of part: Int, _ round: Round) -> LatentSums {
        let first = (part - round.parts.lowerBound) * round.rows * heads
        return part == 0 ? sums.values : parts.values.from(first, latent: latent)
    }

    /// Queries whose sums are in memory at once, for each of the parts of a round: 128 heads of R1 take 300 kB a row.
    private static let mostQueries = 4096
    /// So many queries hide what bringing a block of positions into order costs; their sums fit a second-level cache.
    private static let queriesPerItem = 64
    /// With so many heads an item's blocks cost less than the joining of more parts.
    private static let sharingHeads = 32
    /// Scores of fewer heads take the same time.
    private static let fewestHeads = 16
    /// Heads of a row that one thread joins where rows are few.
    private static let joinedHeads = 4
    /// The least share of the threads' time that is work, as long as it is in few parts: many cost some 10 % more.
    private static let leastWork = (of: 5, every: 6)
}
