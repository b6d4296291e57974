import Kernels
import Testing

/// Rows of several sequences with caches of different lengths, one of them several spans long.
@Suite struct LatentReaderTests {
    private static let (heads, latent, rope) = (6, 32, 16)
    private static let width = latent + rope
    /// Rows of each sequence, and what the first of them attends to.
    private static let sequences = [(rows: 1, positions: 3000), (rows: 40, positions: 500), (rows: 3, positions: 1)]
    private static let rows = sequences.reduce(0) { $0 + $1.rows }

    private final class Caches {
        let pages: [AlignedBuffer<UInt16>]
        let tables: [AlignedBuffer<UnsafeRawPointer?>]
        let queries: [UInt16]

        init() {
            var numbers = RandomNumbers(seed: 5)
            func number() -> UInt16 { UInt16(numbers.float(exponents: -4...0).bitPattern >> 16) }
            queries = (0..<rows * heads * width).map { _ in number() }
            pages = sequences.map { sequence in
                let page = AlignedBuffer<UInt16>(count: (sequence.positions + sequence.rows) * width)
                for index in 0..<page.count { page.pointer[index] = number() }
                return page
            }
            tables = pages.map { page in
                let table = AlignedBuffer<UnsafeRawPointer?>(count: 1)
                table.pointer[0] = UnsafeRawPointer(page.pointer)
                return table
            }
        }

        func view(_ sequence: Int) -> LatentCacheView {
            LatentCacheView(
                pages: tables[sequence].pointer, dtype: .bf16, pagePositions: 1 << 20, latent: latent, rope: rope,
                scale: 0.5)
        }
    }

    /// The latents of some rows of a sequence, read together with the given rows of others.
    private func read(
        _ caches: Caches, _ runs: [(sequence: Int, rows: Range<Int>)], threads: Int
    ) -> (latents: [Float], finished: [Int]) {
        let processor = Processor(threads: threads, compute: .fast)
        let reader = LatentReader(
            maximumRows: Self.rows, heads: Self.heads, latent: Self.latent, rope: Self.rope, dtype: .bf16)
        var readRuns: [LatentReader.Run] = []
        var row = 0
        for run in runs {
            let firstOfSequence = Self.sequences[..<run.sequence].reduce(0) { $0 + $1.rows }
            let size = Self.heads * Self.width
            let source = caches.queries[
                (firstOfSequence + run.rows.lowerBound) * size..<(firstOfSequence + run.rows.upperBound) * size]
            let place = reader.queries.assumingMemoryBound(to: UInt16.self) + row * size
            for (index, value) in source.enumerated() { place[index] = value }
            readRuns.append(
                .init(
                    cache: caches.view(run.sequence), rows: row..<row + run.rows.count,
                    positions: Self.sequences[run.sequence].positions + run.rows.lowerBound))
            row += run.rows.count
        }
        let finished = AlignedBuffer<Int>(count: row * Self.heads)
        reader.read(readRuns, processor) { queries in
            for query in queries { finished.pointer[query] += 1 }
        }
        for row in 0..<row {
            for head in 0..<Self.heads {
                reader.end(row: row, heads: head..<head + 1, processor.kernels) { queries in
                    for query in queries { finished.pointer[query] += 1 }
                }
            }
        }
        return (
            (0..<row * Self.heads * Self.latent).map { reader.latents[$0] },
            (0..<finished.count).map { finished.pointer[$0] }
        )
    }

    @Test("a row's bits are the same in any company, on any number of threads")
    func company() {
        let caches = Caches()
        let all = Self.sequences.enumerated().map { (sequence: $0, rows: 0..<$1.rows) }
        let together = read(caches, all, threads: 1)
        #expect(together.latents.allSatisfy { $0.isFinite })
        #expect(firstDifference(read(caches, all, threads: 4).latents, together.latents) == nil, "4 threads")
        let alone = all.flatMap { run in
            run.rows.flatMap { read(caches, [(run.sequence, $0..<$0 + 1)], threads: 3).latents }
        }
        #expect(firstDifference(alone, together.latents) == nil, "row by row")
    }

    @Test("every query is finished once")
    func finishes() {
        let all = Self.sequences.enumerated().map { (sequence: $0, rows: 0..<$1.rows) }
        let finished = read(Caches(), all, threads: 4).finished
        #expect(finished == Array(repeating: 1, count: Self.rows * Self.heads))
    }
}
