import Foundation
import Kernels
import Testing

@Suite struct AttendTests {
    struct Shape: Sendable {
        var rows = 1
        var heads: Int
        /// What the first row attends to; the next attends to one more.
        var positions: Int
        var latent: Int
        var rope: Int
        var pagePositions = 64
        var bf16 = true
        var exponents = -6...1

        var width: Int { latent + rope }
        var cached: Int { positions + rows - 1 }
    }

    static let shapes = [
        Shape(heads: 1, positions: 1, latent: 16, rope: 8), Shape(heads: 3, positions: 31, latent: 24, rope: 4),
        Shape(rows: 2, heads: 5, positions: 32, latent: 64, rope: 16, bf16: false),
        Shape(rows: 3, heads: 16, positions: 33, latent: 100, rope: 8),
        Shape(heads: 17, positions: 129, latent: 130, rope: 64, pagePositions: 32),
        Shape(rows: 4, heads: 2, positions: 600, latent: 512, rope: 64),
        Shape(rows: 2, heads: 9, positions: 97, latent: 512, rope: 64, bf16: false),
        Shape(rows: 7, heads: 2, positions: 511, latent: 15, rope: 1, pagePositions: 96),
        Shape(rows: 5, heads: 1, positions: 1022, latent: 33, rope: 7, bf16: false),
        Shape(heads: 4, positions: 140, latent: 48, rope: 16, exponents: -60...6),
    ]

    /// Seeded queries and cache pages.
    final class Problem {
        let shape: Shape
        /// [rows, heads, width]
        let queries: [Float]
        /// [positions, width]
        let cache: [Float]
        private let pages: [GuardedMemory]
        private let queryMemory: GuardedMemory

        init(_ shape: Shape, seed: Int) {
            self.shape = shape
            var numbers = RandomNumbers(seed: seed)
            func number() -> Float {
                let value = numbers.float(exponents: shape.exponents)
                return shape.bf16 ? Float(bitPattern: value.bitPattern & 0xFFFF_0000) : value
            }
            func memory(_ values: some Collection<Float>) -> GuardedMemory {
                shape.bf16 ? GuardedMemory(values.map { UInt16($0.bitPattern >> 16) }) : GuardedMemory(Array(values))
            }
            queries = (0..<shape.rows * shape.heads * shape.width).map { _ in number() }
            cache = (0..<shape.cached * shape.width).map { _ in number() }
            queryMemory = memory(queries)
            let pageFloats = shape.pagePositions * shape.width
            pages = stride(from: 0, to: cache.count, by: pageFloats).map { [cache] start in
                memory(cache[start..<min(start + pageFloats, cache.count)])
            }
        }

        /// A cache of some pages, good inside of `body`.
        func withView<Result>(of pages: [UnsafeMutableRawPointer], _ body: (LatentCacheView) -> Result) -> Result {
            let table = AlignedBuffer<UnsafeRawPointer?>(count: pages.count)
            for (index, page) in pages.enumerated() { table.pointer[index] = UnsafeRawPointer(page) }
            return withExtendedLifetime((self, table)) {
                body(
                    LatentCacheView(
                        pages: table.pointer, dtype: shape.bf16 ? .bf16 : .f32, pagePositions: shape.pagePositions,
                        latent: shape.latent, rope: shape.rope, scale: 0.37))
            }
        }

        func attend(
            _ kernels: KernelSet, rows: Range<Int>? = nil, heads: Range<Int>? = nil, parts: LatentParts = .few
        ) -> [Float] {
            withView(of: pages.map { $0.bytes }) { attend(kernels, $0, rows: rows, heads: heads, parts: parts) }
        }

        /// Some rows' heads, part by part: [rows, heads, latent].
        func attend(
            _ kernels: KernelSet, _ view: LatentCacheView, rows: Range<Int>? = nil, heads: Range<Int>? = nil,
            parts: LatentParts = .few
        ) -> [Float] {
            let (rows, heads) = (rows ?? 0..<shape.rows, heads ?? 0..<shape.heads)
            let first = (rows.lowerBound * shape.heads + heads.lowerBound) * shape.width
            let queries = LatentQueries(
                UnsafeRawPointer(queryMemory.bytes) + first * (shape.bf16 ? 2 : 4),
                rowStride: shape.heads * shape.width, rows: rows.count, heads: heads.count,
                positions: shape.positions + rows.lowerBound)
            let count = rows.count * heads.count
            let (sums, part) = (Sums(count, shape.latent, heads.count), Sums(count, shape.latent, heads.count))
            let scratch = AlignedBuffer<UInt8>(
                count: KernelSet.attentionScratch(latent: shape.latent, rope: shape.rope, queries: count))
            for index in 0..<parts.count(shape.positions + rows.upperBound - 1) {
                kernels.attend(
                    view, queries, positions: parts.positions(of: index), scratch: scratch.pointer,
                    into: index == 0 ? sums.values : part.values)
                guard index > 0 else { continue }
                for row in 0..<rows.count {
                    let query = row * heads.count
                    kernels.join(
                        part.values.from(query, latent: shape.latent),
                        to: sums.values.from(query, latent: shape.latent),
                        queries: heads.count, view)
                }
            }
            kernels.end(sums.values, queries: count, view)
            return sums.result()
        }

        /// Softmax over all positions at once, in double precision.
        func exact(row: Int, head: Int) -> [Double] {
            let (width, positions) = (shape.width, shape.positions + row)
            let query = (row * shape.heads + head) * width
            let scores = (0..<positions).map { position in
                0.37
                    * (0..<width).reduce(0.0) {
                        $0 + Double(queries[query + $1]) * Double(cache[position * width + $1])
                    }
            }
            let largest = scores.max() ?? 0
            let weights = scores.map { exp($0 - largest) }
            let total = weights.reduce(0, +)
            return (0..<shape.latent).map { column in
                (0..<positions).reduce(0.0) { $0 + weights[$1] * Double(cache[$1 * width + column]) } / total
            }
        }
    }

    /// Guarded sums, filled with NaN: what is not written shows.
    private final class Sums {
        private let maxima: GuardedMemory
        private let totals: GuardedMemory
        private let latents: GuardedMemory
        private let count: Int
        let values: LatentSums

        init(_ queries: Int, _ latent: Int, _ rowStride: Int) {
            maxima = GuardedMemory([Float](repeating: .nan, count: queries))
            totals = GuardedMemory([Float](repeating: .nan, count: queries))
            latents = GuardedMemory([Float](repeating: .nan, count: queries * latent))
            count = queries * latent
            values = LatentSums(
                maxima: maxima.floats, totals: totals.floats, latents: latents.floats, rowStride: rowStride)
        }

        func result() -> [Float] { (0..<count).map { latents.floats[$0] } }
    }

    @Test(
        "every instruction set gives the scalar twin's bits, rows and heads together or alone",
        arguments: 0..<shapes.count)
    func bitsEqualScalar(index: Int) {
        let shape = Self.shapes[index]
        let problem = Problem(shape, seed: index)
        let expected = problem.attend(.scalar)
        for kernels in KernelSet.vectorised {
            #expect(firstDifference(problem.attend(kernels), expected) == nil, "\(kernels.name)")
            let alone = (0..<shape.rows).flatMap { row in
                (0..<shape.heads).flatMap { problem.attend(kernels, rows: row..<row + 1, heads: $0..<$0 + 1) }
            }
            #expect(firstDifference(alone, expected) == nil, "\(kernels.name), one by one")
        }
    }

    @Test("few parts and many give the same bits", arguments: [1, 128, 129, 700, 2048, 2049, 2700])
    func partsGiveSameBits(positions: Int) {
        let problem = Problem(Shape(rows: 2, heads: 3, positions: positions, latent: 20, rope: 4), seed: positions)
        for kernels in KernelSet.available() {
            let few = problem.attend(kernels, parts: .few)
            #expect(firstDifference(problem.attend(kernels, parts: .many), few) == nil, "\(kernels.name)")
        }
    }

    @Test("the scalar twin is near attention in double precision", arguments: 0..<shapes.count)
    func scalarIsNearDouble(index: Int) {
        let shape = Self.shapes[index]
        let problem = Problem(shape, seed: 100 + index)
        let values = problem.attend(.scalar)
        let largest = problem.cache.map { abs(Double($0)) }.max() ?? 0
        // A weight in bf16 is up to 2^-9 off.
        let bound = (shape.bf16 ? 0x1p-9 : 2e-5) * largest
        for query in 0..<shape.rows * shape.heads {
            let exact = problem.exact(row: query / shape.heads, head: query % shape.heads)
            for (column, exact) in exact.enumerated() {
                let value = Double(values[query * shape.latent + column])
                #expect(abs(value - exact) <= bound, "query \(query), column \(column)")
            }
        }
    }

    @Test("positions behind the attended ones change nothing")
    func laterPositionsAreNotRead() {
        let long = Problem(Shape(heads: 3, positions: 120, latent: 40, rope: 8), seed: 1)
        let short = Problem(Shape(heads: 3, positions: 50, latent: 40, rope: 8), seed: 1)
        #expect(short.queries == long.queries && short.cache == Array(long.cache[..<short.cache.count]))
        let pages = GuardedMemory(long.cache.map { UInt16($0.bitPattern >> 16) })
        for kernels in KernelSet.available() {
            let values = withExtendedLifetime(pages) {
                short.withView(of: [pages.bytes, pages.bytes + 64 * 48 * 2]) { short.attend(kernels, $0) }
            }
            #expect(firstDifference(values, short.attend(kernels)) == nil, "\(kernels.name)")
        }
    }
}
