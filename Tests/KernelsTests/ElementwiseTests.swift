import Foundation
import Kernels
import Testing

@Suite struct ElementwiseTests {
    static let counts = [1, 2, 15, 16, 17, 31, 32, 33, 64, 100, 129, 256, 576, 1000]

    private static func floats(
        _ count: Int, exponents: ClosedRange<Int> = -20...5, seed: Int
    ) -> [Float] {
        var numbers = RandomNumbers(seed: seed &* 1000 &+ count)
        return (0..<count).map { _ in numbers.float(exponents: exponents) }
    }

    /// What `operation` writes for `count` values, with the gaps checked.
    private static func output(
        _ count: Int, from start: [Float]? = nil, _ operation: (UnsafeMutablePointer<Float>) -> Void
    ) -> [Float] {
        let outputs = Outputs(rows: 1, columns: count)
        if let start { outputs.pointer.update(from: start, count: count) }
        operation(outputs.pointer)
        #expect(outputs.gapsUntouched)
        return outputs.values
    }

    /// All operations of one instruction set on the same seeded values.
    private static func everyOutput(_ kernels: KernelSet, count: Int, exponents: ClosedRange<Int>) -> [[Float]] {
        let values = floats(count, exponents: exponents, seed: 1)
        let left = GuardedMemory(values)
        let right = floats(count, exponents: exponents, seed: 2)
        let narrow = GuardedMemory(values.map { UInt16($0.bitPattern >> 16) })
        return withExtendedLifetime((left, narrow)) {
            [
                output(count) { kernels.rmsNorm(left.floats, gain: right, epsilon: 1e-6, count: count, into: $0) },
                output(count) { kernels.swiglu(gate: left.floats, up: right, count: count, into: $0) },
                output(count, from: right) { kernels.accumulate(left.floats, weight: 0.3, count: count, into: $0) },
                output(count, from: right) { kernels.accumulate(narrow.halves, weight: 0.3, count: count, into: $0) },
                output(count, from: right) { kernels.sigmoid($0, count: count) },
                output(count, from: right) { kernels.softmax($0, count: count) },
                output(count) { kernels.exponential(left.floats, count: count, into: $0) },
            ]
        }
    }

    @Test("every instruction set gives the scalar twin's bits", arguments: counts)
    func bitsEqualScalar(count: Int) {
        for exponents in [-20...5, -149...127, 3...9] {
            let expected = Self.everyOutput(.scalar, count: count, exponents: exponents)
            for kernels in KernelSet.vectorised {
                let values = Self.everyOutput(kernels, count: count, exponents: exponents)
                let different = expected.indices.filter { firstDifference(values[$0], expected[$0]) != nil }
                #expect(different.isEmpty, "\(kernels.name), \(exponents)")
            }
        }
    }

    @Test("the scalar twin is near the same formulas in double precision", arguments: counts)
    func scalarIsNearDouble(count: Int) {
        let left = Self.floats(count, seed: 1).map { Double($0) }
        let right = Self.floats(count, seed: 2).map { Double($0) }
        let values = Self.everyOutput(.scalar, count: count, exponents: -20...5)
        let root = (left.reduce(0) { $0 + $1 * $1 } / Double(count) + 1e-6).squareRoot()
        let largest = right.max() ?? 0
        let total = right.reduce(0) { $0 + exp($1 - largest) }
        // In order of `everyOutput`, each with the relative error that its roundings allow.
        let expected: [([Double], Double)] = [
            (zip(left, right).map { $0 / root * $1 }, Double(count / 16 + 8) * 0x1p-24),
            (zip(left, right).map { $0 / (1 + exp(-$0)) * $1 }, 8 * 0x1p-24),
            (zip(left, right).map { Double(Float(0.3)) * $0 + $1 }, 0x1p-24),
            (
                zip(left, right).map { left, right in
                    Double(Float(0.3)) * Double(Float(bitPattern: Float(left).bitPattern & 0xffff_0000)) + right
                }, 0x1p-24
            ),
            (right.map { 1 / (1 + exp(-$0)) }, 6 * 0x1p-24),
            // exp's argument is rounded once: up to 64 * 2^-24 relative to exp.
            (right.map { exp($0 - largest) / total }, Double(count / 16 + 140) * 0x1p-24),
            (left.map { exp($0) }, 4 * 0x1p-24),
        ]
        for (index, (exact, bound)) in expected.enumerated() {
            for (value, exact) in zip(values[index], exact) where abs(exact) > 1e-37 {
                #expect(abs(Double(value) - exact) <= bound * abs(exact), "operation \(index): \(value) for \(exact)")
            }
        }
    }

    @Test("the exponential is within 2 units in the last place of Foundation's, 0 below -87, infinite above 88.73")
    func exponentialIsAccurate() {
        let inputs = stride(from: -86.99, through: 88.72, by: 0.0007).map { Float($0) }
        let values = Self.output(inputs.count) { KernelSet.scalar.exponential(inputs, count: inputs.count, into: $0) }
        let worst = zip(inputs, values).map { input, value in
            abs(exp(Double(input)) - Double(value)) / Double(value.ulp)
        }
        #expect((worst.max() ?? 0) < 1.5)
        let edges: [Float] = [-.infinity, -1e30, -87.01, 88.73, 1e30, .infinity, 0, -0.0]
        let atEdges = Self.output(edges.count) { KernelSet.scalar.exponential(edges, count: edges.count, into: $0) }
        #expect(atEdges == [0, 0, 0, .infinity, .infinity, .infinity, 1, 1])
    }

    @Test("NaN goes through every operation, alike on every instruction set")
    func nanPropagates() {
        for kernels in KernelSet.available() {
            let input: [Float] = [1, .nan, -.infinity, .infinity, 2]
            let ones = [Float](repeating: 1, count: 5)
            let softmax = Self.output(5, from: input) { kernels.softmax($0, count: 5) }
            #expect(softmax.allSatisfy { $0.isNaN }, "\(kernels.name)")
            let norm = Self.output(5) { kernels.rmsNorm(input, gain: ones, epsilon: 0, count: 5, into: $0) }
            #expect(norm.allSatisfy { $0.isNaN }, "\(kernels.name)")
            let sigmoid = Self.output(5, from: input) { kernels.sigmoid($0, count: 5) }
            #expect(sigmoid[1].isNaN && sigmoid[2] == 0 && sigmoid[3] == 1, "\(kernels.name)")
            let swiglu = Self.output(5) { kernels.swiglu(gate: input, up: ones, count: 5, into: $0) }
            #expect(swiglu[1].isNaN && swiglu[3] == .infinity && swiglu[4].isFinite, "\(kernels.name)")
        }
    }

    @Test("pairs turn by products and sums that are rounded one by one, in place or not", arguments: counts)
    func rotates(half: Int) {
        let count = 2 * half
        let values = Self.floats(count, exponents: -130...30, seed: 6)
        let turns = Self.floats(count, exponents: -30...0, seed: 7)
        let expected = (0..<count).map { index -> Float in
            let (a, b) = (values[index & ~1], values[index | 1])
            let (cosine, sine) = (turns[index & ~1], turns[index | 1])
            let products = index.isMultiple(of: 2) ? (a * cosine, -(b * sine)) : (a * sine, b * cosine)
            return products.0 + products.1
        }
        let guarded = (GuardedMemory(values), GuardedMemory(turns))
        withExtendedLifetime(guarded) {
            for kernels in KernelSet.available() {
                let apart = Self.output(count) {
                    kernels.rotate(guarded.0.floats, by: guarded.1.floats, count: count, into: $0)
                }
                #expect(firstDifference(apart, expected) == nil, "\(kernels.name)")
                let inPlace = Self.output(count, from: values) {
                    kernels.rotate($0, by: guarded.1.floats, count: count, into: $0)
                }
                #expect(firstDifference(inPlace, expected) == nil, "\(kernels.name) in place")
            }
        }
    }

    @Test("norm and SwiGLU may write where they read")
    func inPlace() {
        let input = Self.floats(100, seed: 4)
        let gain = Self.floats(100, seed: 5)
        for kernels in KernelSet.available() {
            let apart = Self.output(100) { kernels.rmsNorm(input, gain: gain, epsilon: 1e-6, count: 100, into: $0) }
            let inPlace = Self.output(100, from: input) {
                kernels.rmsNorm($0, gain: gain, epsilon: 1e-6, count: 100, into: $0)
            }
            #expect(apart == inPlace)
            let gated = Self.output(100) { kernels.swiglu(gate: input, up: gain, count: 100, into: $0) }
            let gatedInPlace = Self.output(100, from: input) {
                kernels.swiglu(gate: $0, up: gain, count: 100, into: $0)
            }
            #expect(gated == gatedInPlace)
        }
    }
}
