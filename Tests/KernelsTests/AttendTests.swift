import Foundation
import Kernels
import Testing

@Suite struct AttendTests {
    struct Shape: Sendable {
        var heads: Int
        var positions: Int
        var latent: Int
        var rope: Int
        var pagePositions = 64
        var bf16 = true
        var exponents = -6...1
    }

    static let shapes = [
        Shape(heads: 1, positions: 1, latent: 16, rope: 8), Shape(heads: 3, positions: 31, latent: 24, rope: 4),
        Shape(heads: 5, positions: 32, latent: 64, rope: 16, bf16: false),
        Shape(heads: 16, positions: 33, latent: 100, rope: 7),
        Shape(heads: 17, positions: 65, latent: 129, rope: 64, pagePositions: 32),
        Shape(heads: 20, positions: 200, latent: 512, rope: 64),
        Shape(heads: 33, positions: 97, latent: 512, rope: 64, bf16: false),
        Shape(heads: 2, positions: 70, latent: 15, rope: 1, pagePositions: 96),
        Shape(heads: 4, positions: 140, latent: 48, rope: 16, exponents: -60...6),
    ]

    /// Seeded queries and cache pages.
    final class Problem {
        let shape: Shape
        let queries: [Float]
        let cache: [Float]
        private let pages: [GuardedMemory]

        init(_ shape: Shape, seed: Int) {
            self.shape = shape
            var numbers = RandomNumbers(seed: seed)
            let width = shape.latent + shape.rope
            queries = (0..<shape.heads * width).map { _ in numbers.float(exponents: shape.exponents) }
            cache = (0..<shape.positions * width).map { _ in
                let value = numbers.float(exponents: shape.exponents)
                return shape.bf16 ? Float(bitPattern: value.bitPattern & 0xFFFF_0000) : value
            }
            let pageFloats = shape.pagePositions * width
            pages = stride(from: 0, to: cache.count, by: pageFloats).map { [cache] start in
                let page = cache[start..<min(start + pageFloats, cache.count)]
                return shape.bf16 ? GuardedMemory(page.map { UInt16($0.bitPattern >> 16) }) : GuardedMemory(Array(page))
            }
        }

        func view(_ pointers: UnsafePointer<UnsafeRawPointer?>) -> LatentCacheView {
            LatentCacheView(
                pages: pointers, dtype: shape.bf16 ? .bf16 : .f32, pagePositions: shape.pagePositions,
                positions: shape.positions, latent: shape.latent, rope: shape.rope, scale: 0.37)
        }

        func attend(_ kernels: KernelSet, heads: Range<Int>) -> [Float] {
            let outputs = Outputs(rows: heads.count, columns: shape.latent)
            let width = shape.latent + shape.rope
            let pointers = pages.map { UnsafeRawPointer($0.bytes) as UnsafeRawPointer? }
            withExtendedLifetime(self) {
                kernels.attend(
                    view(pointers), queries: Array(queries[(heads.lowerBound * width)...]), queryStride: width,
                    heads: heads.count, into: outputs.pointer, outputStride: outputs.stride)
            }
            #expect(outputs.gapsUntouched)
            return outputs.values
        }

        /// Softmax over all positions at once, in double precision.
        func exact(head: Int) -> [Double] {
            let width = shape.latent + shape.rope
            let scores = (0..<shape.positions).map { position in
                0.37
                    * (0..<width).reduce(0.0) {
                        $0 + Double(queries[head * width + $1]) * Double(cache[position * width + $1])
                    }
            }
            let largest = scores.max() ?? 0
            let weights = scores.map { exp($0 - largest) }
            let total = weights.reduce(0, +)
            return (0..<shape.latent).map { column in
                (0..<shape.positions).reduce(0.0) { $0 + weights[$1] * Double(cache[$1 * width + column]) } / total
            }
        }
    }

    @Test("every instruction set gives the scalar twin's bits, heads together or alone", arguments: 0..<shapes.count)
    func bitsEqualScalar(index: Int) {
        let shape = Self.shapes[index]
        let problem = Problem(shape, seed: index)
        let expected = problem.attend(.scalar, heads: 0..<shape.heads)
        for kernels in KernelSet.vectorised {
            #expect(
                firstDifference(problem.attend(kernels, heads: 0..<shape.heads), expected) == nil, "\(kernels.name)")
            let alone = (0..<shape.heads).flatMap { problem.attend(kernels, heads: $0..<$0 + 1) }
            #expect(firstDifference(alone, expected) == nil, "\(kernels.name), head by head")
        }
    }

    @Test("the scalar twin is near attention in double precision", arguments: 0..<shapes.count)
    func scalarIsNearDouble(index: Int) {
        let shape = Self.shapes[index]
        let problem = Problem(shape, seed: 100 + index)
        let values = problem.attend(.scalar, heads: 0..<shape.heads)
        let largest = problem.cache.map { abs(Double($0)) }.max() ?? 0
        for head in 0..<shape.heads {
            for (column, exact) in problem.exact(head: head).enumerated() {
                let value = Double(values[head * shape.latent + column])
                #expect(abs(value - exact) <= 2e-5 * largest, "head \(head), column \(column)")
            }
        }
    }

    @Test("positions behind the attended ones change nothing")
    func laterPositionsAreNotRead() {
        let long = Problem(Shape(heads: 3, positions: 120, latent: 40, rope: 8), seed: 1)
        let short = Problem(Shape(heads: 3, positions: 50, latent: 40, rope: 8), seed: 1)
        #expect(short.queries == long.queries && short.cache == Array(long.cache[..<short.cache.count]))
        let pages = GuardedMemory(long.cache.map { UInt16($0.bitPattern >> 16) })
        let pointers: [UnsafeRawPointer?] = [
            UnsafeRawPointer(pages.bytes), UnsafeRawPointer(pages.bytes + 64 * 48 * 2),
        ]
        for kernels in KernelSet.available() {
            let outputs = Outputs(rows: 3, columns: 40)
            withExtendedLifetime(pages) {
                kernels.attend(
                    short.view(pointers), queries: long.queries, queryStride: 48, heads: 3, into: outputs.pointer,
                    outputStride: outputs.stride)
            }
            #expect(firstDifference(outputs.values, short.attend(kernels, heads: 0..<3)) == nil, "\(kernels.name)")
        }
    }
}
