import Foundation
import Kernels
import Testing

/// Rows as FP8 codes with a power of two for each block of columns.
@Suite struct RowCodesTests {
    struct Row: Equatable {
        let codes: [UInt8]
        let scales: [Float]
    }

    private static func scaleCount(_ columns: Int) -> Int {
        (columns + KernelSet.rowBlock - 1) / KernelSet.rowBlock
    }

    /// The codes of a row, written where memory ends.
    private static func row(_ values: [Float], _ kernels: KernelSet) -> Row {
        let (input, codes) = (GuardedMemory(values), GuardedMemory(byteCount: values.count))
        let scales = GuardedMemory(byteCount: 4 * scaleCount(values.count))
        kernels.narrow(
            input.floats, count: values.count, codes: codes.pointer(to: UInt8.self), scales: scales.floats)
        return withExtendedLifetime((input, codes, scales)) {
            Row(
                codes: Array(UnsafeBufferPointer(start: codes.pointer(to: UInt8.self), count: values.count)),
                scales: Array(UnsafeBufferPointer(start: scales.floats, count: scaleCount(values.count))))
        }
    }

    /// The values of a row.
    private static func values(_ row: Row, _ kernels: KernelSet) -> [Float] {
        let (codes, scales) = (GuardedMemory(row.codes), GuardedMemory(row.scales))
        let outputs = Outputs(rows: 1, columns: row.codes.count)
        withExtendedLifetime((codes, scales)) {
            kernels.widen(
                codes: codes.pointer(to: UInt8.self), scales: scales.floats, count: row.codes.count,
                into: outputs.pointer)
        }
        #expect(outputs.gapsUntouched)
        return outputs.values
    }

    private static func random(_ count: Int, _ exponents: ClosedRange<Int>) -> [Float] {
        var numbers = RandomNumbers(seed: count)
        return (0..<count).map { _ in numbers.float(exponents: exponents) }
    }

    private static let counts = [1, 15, 16, 17, 127, 128, 129, 144, 256, 300, 2048]

    @Test("every instruction set gives the scalar twin's codes, scales and values", arguments: counts)
    func bitsEqualScalar(count: Int) {
        for exponents in [-12...3, -149...127, -140...(-118), 120...127] {
            var values = Self.random(count, exponents)
            if count > 100 { values.replaceSubrange(3...6, with: [.infinity, -.infinity, .nan, -0.0]) }
            let expected = Self.row(values, .scalar)
            for kernels in KernelSet.vectorised {
                #expect(Self.row(values, kernels) == expected, "\(kernels.name), \(exponents)")
                let widened = Self.values(expected, kernels)
                #expect(firstDifference(widened, Self.values(expected, .scalar)) == nil, "\(kernels.name)")
            }
        }
    }

    @Test("a value comes back as the nearest of the codes, worked out in double precision", arguments: counts)
    func nearestCode(count: Int) {
        let finite = (UInt32(0)..<256).map { StoredNumbers.value(.f8e4m3, bits: $0) }.filter(\.isFinite)
        for exponents in [-12...3, -100...90, -149...(-110)] {
            let values = Self.random(count, exponents)
            let row = Self.row(values, .scalar)
            let widened = Self.values(row, .scalar)
            for (column, value) in values.enumerated() {
                let scale = Double(row.scales[column / KernelSet.rowBlock])
                let nearest = finite.map { abs($0 * scale - Double(value)) }.min()
                #expect(abs(Double(widened[column]) - Double(value)) == nearest, "\(value)")
            }
        }
    }

    @Test("a scale is the least power of two that brings its block's largest value to 448 or less")
    func leastScale() {
        for (value, scale) in [
            (448, 1), (448.001, 2), (1, 0x1p-8), (1.75, 0x1p-8), (1.7500001, 0x1p-7), (0, 0x1p-126),
            (Float.greatestFiniteMagnitude, 0x1p120), (.infinity, 0x1p-8), (0x1p-149, 0x1p-126),
        ] as [(Float, Float)] {
            for kernels in KernelSet.available() {
                // A one beside what is not finite, in a block of its own.
                let values = [Float](repeating: value.isFinite ? 0 : 1, count: 128) + [value, value.isFinite ? 0 : 1]
                #expect(Self.row(values, kernels).scales[1] == scale, "\(value), \(kernels.name)")
            }
        }
    }

    @Test("a row that has travelled travels on unchanged")
    func idempotent() {
        let once = Self.values(Self.row(Self.random(777, -12...3), .scalar), .scalar)
        #expect(Self.values(Self.row(once, .scalar), .scalar) == once)
    }

    @Test("what is not finite becomes NaN, and harms no neighbour")
    func notFinite() {
        let values: [Float] = [1, .nan, .infinity, -.infinity, 0.5]
        for kernels in KernelSet.available() {
            let widened = Self.values(Self.row(values, kernels), kernels)
            #expect(widened[0] == 1 && widened[4] == 0.5 && widened[1...3].allSatisfy(\.isNaN), "\(kernels.name)")
        }
    }
}
