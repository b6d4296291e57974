import Foundation
import Kernels
import Testing

@Suite struct QuantizeTests {
    static let held: [HeldDType] = [.fp8, .int8, .int4]

    /// A row's codes and scales in guarded memory.
    private struct Row {
        let codes: GuardedMemory
        let scales: GuardedMemory
        private let columns: Int
        private let held: HeldDType

        init(_ values: [Float], _ held: HeldDType, _ kernels: KernelSet) {
            let columns = values.count
            let input = GuardedMemory(values)
            let codes = GuardedMemory([UInt8](repeating: 0xaa, count: held.dtype.byteCount(columns)))
            let scales = GuardedMemory([Float](repeating: -7, count: held.scales(columns: columns)))
            withExtendedLifetime(input) {
                kernels.quantize(input.floats, count: columns, to: held, into: codes.bytes, scales: scales.floats)
            }
            (self.codes, self.scales, self.columns, self.held) = (codes, scales, columns, held)
        }

        var codeBytes: [UInt8] {
            (0..<held.dtype.byteCount(columns)).map { codes.pointer(to: UInt8.self)[$0] }
        }

        /// What they stand for.
        func values() -> [Float] {
            guard held != .int8 else {
                return (0..<columns).map {
                    Float(codes.pointer(to: Int8.self)[$0]) * scales.floats[$0 / HeldDType.groupColumns]
                }
            }
            let matrix = WeightMatrix(
                dtype: held.dtype, rows: 1, columns: columns, weights: codes.bytes,
                scales: BlockScales(
                    values: scales.floats, stride: held.scales(columns: columns), blockRows: 1,
                    blockColumns: HeldDType.groupColumns),
                owner: RandomMatrix.Owner(weights: codes, scales: scales))
            var values = [Float](repeating: 0, count: columns)
            KernelSet.scalar.widenRow(matrix, row: 0, into: &values)
            return values
        }
    }

    /// Rows of random numbers, among them ones with few values, with zeros, with numbers that are not finite.
    private static func rows(seed: Int) -> [[Float]] {
        var numbers = RandomNumbers(seed: seed)
        var rows: [[Float]] = []
        for columns in [1, 2, 3, 15, 16, 17, 127, 128, 129, 200, 255, 256, 300, 515] {
            for exponents in [-12 ... -4, -2...2, -140...120, -149 ... -90, 100...126] {
                rows.append((0..<columns).map { _ in numbers.float(exponents: exponents) })
            }
            rows.append((0..<columns).map { _ in Bool.random(using: &numbers) ? 0.5 : -0.5 })
            rows.append([Float](repeating: 0, count: columns))
            var broken = (0..<columns).map { _ in numbers.float(exponents: -2...2) }
            broken[Int.random(in: 0..<columns, using: &numbers)] = [.nan, .infinity, -.infinity][columns % 3]
            rows.append(broken)
        }
        return rows
    }

    @Test("every instruction set makes the scalar twin's codes and scales", arguments: held)
    func bitsEqualScalar(held: HeldDType) {
        for (number, values) in Self.rows(seed: 1).enumerated() {
            let expected = Row(values, held, .scalar)
            for kernels in KernelSet.vectorised {
                let row = Row(values, held, kernels)
                #expect(row.codeBytes == expected.codeBytes, "\(kernels.name), row \(number)")
                let scales = (0..<held.scales(columns: values.count)).map { row.scales.floats[$0] }
                let same = scales.indices.allSatisfy {
                    scales[$0].bitPattern == expected.scales.floats[$0].bitPattern
                        || scales[$0].isNaN && expected.scales.floats[$0].isNaN
                }
                #expect(same, "\(kernels.name), row \(number)")
            }
        }
    }

    @Test("every code is the nearest to its number that the scale allows, and groups that cannot be held are NaN")
    func codesAreNearest() {
        for held in Self.held {
            for values in Self.rows(seed: 2) {
                let made = Row(values, held, .scalar).values()
                for first in stride(from: 0, to: values.count, by: HeldDType.groupColumns) {
                    let group = first..<min(first + HeldDType.groupColumns, values.count)
                    let largest = values[group].map(abs).max() ?? 0
                    guard values[group].allSatisfy(\.isFinite) else {
                        let isBroken = made[group].allSatisfy { $0.isNaN }
                        #expect(isBroken)
                        continue
                    }
                    guard largest >= 0x1p-100 else {
                        let isZero = made[group].allSatisfy { $0 == 0 }
                        #expect(isZero)
                        continue
                    }
                    // Half a step; INT4 may leave out the largest numbers by as much as it gains with the others.
                    for index in group {
                        let bound: Float
                        switch held {
                        case .int8: bound = largest / 127 * 0.5001
                        case .int4: bound = largest / 5
                        case .fp8, .bf16: bound = max(abs(values[index]) / 15.9, largest / 448 * 0x1p-9)
                        }
                        #expect(abs(made[index] - values[index]) <= bound, "\(held): \(values[index]) of \(largest)")
                    }
                }
            }
        }
    }

    @Test("INT4 leaves less of an error than the largest number at the end of the range would")
    func searchPays() {
        var numbers = RandomNumbers(seed: 3)
        var (searched, plain) = (0.0, 0.0)
        for _ in 0..<200 {
            // Sums of uniform numbers are nearly normal, as weights are.
            let values = (0..<HeldDType.groupColumns).map { _ in
                (0..<12).reduce(Float(-6)) { sum, _ in sum + Float.random(in: 0..<1, using: &numbers) }
            }
            let made = Row(values, .int4, .scalar).values()
            let top = values.max { abs($0) < abs($1) } ?? 1
            for (value, made) in zip(values, made) {
                let code = min(7, max(-8, (value / top * -8).rounded(.toNearestOrEven)))
                searched += Double(made - value) * Double(made - value)
                plain += Double(code * top / -8 - value) * Double(code * top / -8 - value)
            }
        }
        #expect(searched < 0.93 * plain)
    }

    @Test("a converted matrix is its rows one by one, whatever the threads, and says how far off it is")
    func conversionEqualsRows() {
        var numbers = RandomNumbers(seed: 4)
        let team = ThreadTeam(threads: 3)
        for dtype in [WeightDType.f8e4m3, .bf16, .f16, .f32] {
            let shape = RandomMatrix.Shape(dtype: dtype, rows: 37, columns: 301, exponents: -6...0)
            let original = RandomMatrix(shape, using: &numbers)
            for held in HeldDType.allCases where held.dtype != dtype {
                var released = 0
                let made = WeightConverter(team: team).convert([original.matrix, original.matrix], to: held) { _ in
                    released += 1
                }
                #expect(released == 2)
                for made in made {
                    #expect(made.dtype == held.dtype && made.rows == 37 && made.columns == 301)
                    var (difference, weight) = (0.0, 0.0)
                    for row in 0..<37 {
                        let values = original.values[row * 301..<(row + 1) * 301].map { Float($0) }
                        var actual = [Float](repeating: 0, count: 301)
                        KernelSet.scalar.widenRow(made, row: row, into: &actual)
                        let expected =
                            held == .bf16 ? Self.rounded(values) : Row(values, held, .scalar).values()
                        #expect(firstDifference(actual, expected) == nil, "\(dtype) as \(held), row \(row)")
                        for (actual, value) in zip(actual, values) {
                            difference += Double(actual - value) * Double(actual - value)
                            weight += Double(value) * Double(value)
                        }
                    }
                    let error = WeightError(of: made, against: original.matrix, team: team)
                    let root = (difference / weight).squareRoot()
                    #expect(abs(error.relativeRMS - root) <= 1e-6 * root)
                    #expect(error.relativeMaximum <= [.int4: 0.2, .int8: 0.004][held] ?? 0.04)
                }
            }
        }
    }

    @Test("weights that are no finite numbers are counted, and no error comes of them")
    func brokenWeights() {
        let numbers: [Float] = [1, .infinity, -2, .nan, 0.1, -.infinity, 3e38, 3.4e38]
        let source = GuardedMemory(numbers)
        let original = WeightMatrix(
            dtype: .f32, rows: 2, columns: 4, weights: source.bytes,
            owner: RandomMatrix.Owner(weights: source, scales: source))
        let team = ThreadTeam(threads: 2)
        let made = WeightConverter(team: team).convert([original], to: .bf16)[0]
        let error = WeightError(of: made, against: original, team: team)
        // The last of them is finite, but in bf16.
        #expect(error.brokenCount == 4)
        #expect(0..<0.01 ~= error.relativeRMS && 0..<0.01 ~= error.relativeMaximum)
    }

    @Test("what is of the dtype already is not touched")
    func sameDTypeStays() {
        var numbers = RandomNumbers(seed: 5)
        let matrix = RandomMatrix(.init(dtype: .f8e4m3, rows: 3, columns: 40), using: &numbers).matrix
        let made = WeightConverter(team: ThreadTeam(threads: 1)).convert([matrix], to: .fp8) { _ in
            Issue.record("it is still needed")
        }
        #expect(made[0].weights == matrix.weights)
    }

    @Test("a matrix that is dropped gives its memory back, though others of its batch stay")
    func droppedMemory() throws {
        let numbers = [Float](repeating: 0.5, count: 1024 * 4096)
        let source = GuardedMemory(numbers)
        let original = WeightMatrix(
            dtype: .f32, rows: 1024, columns: 4096, weights: source.bytes,
            owner: RandomMatrix.Owner(weights: source, scales: source))
        let converter = WeightConverter(team: ThreadTeam(threads: 2))
        var made = converter.convert([original, original, original], to: .int8)
        let middle = made[1].weights
        #expect(try Self.residentPages(middle, byteCount: 1024 * 4096) > 1000)
        made.remove(at: 1)
        #expect(try Self.residentPages(middle, byteCount: 1024 * 4096) == 0)
        for matrix in made {
            var row = [Float](repeating: 0, count: 4096)
            KernelSet.scalar.widenRow(matrix, row: 1023, into: &row)
            let isKept = row.allSatisfy { abs($0 - 0.5) < 1e-6 }
            #expect(isKept)
        }
    }

    /// Of the whole pages inside.
    private static func residentPages(_ start: UnsafeRawPointer, byteCount: Int) throws -> Int {
        let page = Int(getpagesize())
        let first = (Int(bitPattern: start) + page - 1) / page * page
        let end = (Int(bitPattern: start) + byteCount) / page * page
        var states = [UInt8](repeating: 0, count: (end - first) / page)
        let address = try #require(UnsafeMutableRawPointer(bitPattern: first))
        try #require(mincore(address, end - first, &states) == 0)
        return states.count { $0 & 1 != 0 }
    }

    private static func rounded(_ values: [Float]) -> [Float] {
        var narrow = [UInt16](repeating: 0, count: values.count)
        KernelSet.scalar.narrow(values, count: values.count, into: &narrow)
        return narrow.map { Float(bitPattern: UInt32($0) << 16) }
    }
}
