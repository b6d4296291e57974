import Kernels
import Testing

@Suite struct ProductTests {
    static let widths = [1, 2, 15, 16, 17, 31, 32, 33, 64, 100, 127, 128, 129, 500, 576, 1100]
    static let blocks = [[128, 128], [32, 48], [1, 16], [3, 5], [1, 1], [2, 4000]]

    private static func blocks(of dtype: WeightDType) -> [[Int]] {
        switch dtype {
        case .f8e4m3: blocks
        case .int8: [[1, 64], [1, 128], [1, 192], [1, 4032]]
        case .int4: blocks.filter { $0[1].isMultiple(of: 2) }
        case .f32, .f16, .bf16: [[1, 1]]
        }
    }

    /// Whether the input is bf16; INT8 has codes instead.
    private static func inputs(of dtype: WeightDType) -> [Bool] { dtype == .int8 ? [false] : [false, true] }

    /// Shapes around the lane width, every dtype and block, phases, few and many rows.
    private static func forEachCase(
        seed: Int, exponents: ClosedRange<Int>, scaleExponents: ClosedRange<Int>,
        _ body: (RandomMatrix, RandomActivations, String) -> Void
    ) {
        var numbers = RandomNumbers(seed: seed)
        for width in widths {
            for dtype in WeightDType.allCases {
                for block in blocks(of: dtype) {
                    let phased = Bool.random(using: &numbers)
                    let isInt8 = dtype == .int8
                    let shape = RandomMatrix.Shape(
                        dtype: dtype, rows: Int.random(in: 1...19, using: &numbers), columns: width,
                        blockRows: block[0], blockColumns: block[1],
                        rowPhase: !phased ? 0 : isInt8 ? 8 : Int.random(in: 0..<block[0], using: &numbers),
                        columnPhase: phased && !isInt8
                            ? Int.random(in: 0...min(block[1], 200) / 2, using: &numbers) * 2 : 0,
                        exponents: exponents, scaleExponents: scaleExponents)
                    let matrix = RandomMatrix(shape, using: &numbers)
                    let rows = Int.random(in: 1...11, using: &numbers)
                    for bf16 in inputs(of: dtype) {
                        let input = RandomActivations(
                            bf16: bf16, rows: rows, columns: width, exponents: exponents, using: &numbers)
                        body(matrix, input, "\(shape), \(rows) rows of \(bf16 ? "bf16" : "f32")")
                    }
                }
            }
        }
    }

    @Test("every instruction set gives the scalar twin's bits, magnitudes from subnormal to infinity", arguments: 0..<4)
    func bitsEqualScalar(seed: Int) {
        let exponents = [-12...12, -140...120, -75 ... -55, -149 ... -60][seed]
        let scaleExponents = [-12 ... -4, -140...100, -20...20, -30...0][seed]
        Self.forEachCase(seed: seed, exponents: exponents, scaleExponents: scaleExponents) { matrix, input, shape in
            let expected = KernelSet.scalar.product(input, by: matrix.matrix).values
            for kernels in KernelSet.vectorised {
                let outputs = kernels.product(input, by: matrix.matrix)
                #expect(firstDifference(outputs.values, expected) == nil, "\(kernels.name): \(shape)")
                #expect(outputs.gapsUntouched, "\(kernels.name): \(shape)")
            }
        }
    }

    @Test("the scalar twin is within the rounding of its sums of the product in double precision")
    func scalarIsNearDouble() {
        Self.forEachCase(seed: 7, exponents: -12...12, scaleExponents: -12 ... -4) { matrix, input, shape in
            let outputs = KernelSet.scalar.product(input, by: matrix.matrix)
            let columns = input.activations.columns
            let runs = matrix.matrix.scales.map { columns / $0.blockColumns + 2 } ?? 1
            for row in 0..<input.activations.rows {
                for n in 0..<matrix.matrix.rows {
                    var exact = 0.0
                    var magnitude = 0.0
                    for column in 0..<columns {
                        let term = input.values[row * columns + column] * matrix.values[n * columns + column]
                        exact += term
                        magnitude += abs(term)
                    }
                    // A term goes through one addition per word of its lane, one per block, two at the end.
                    let bound = Double(columns / 4 + runs + 8) * 0x1p-24 * magnitude
                    let value = Double(outputs.pointer[row * outputs.stride + n])
                    #expect(abs(value - exact) <= bound, "\(shape): [\(row), \(n)]")
                }
            }
        }
    }

    @Test(
        "a row's bits do not depend on its company, nor on how the matrix is cut", arguments: [2, 3, 4, 7, 16, 64, 131])
    func rowsAreIndependent(rows: Int) {
        var numbers = RandomNumbers(seed: rows)
        for (dtype, bf16) in WeightDType.allCases.flatMap({ dtype in Self.inputs(of: dtype).map { (dtype, $0) } }) {
            let shape =
                dtype == .int8
                ? RandomMatrix.Shape(dtype: dtype, rows: 21, columns: 1300, blockRows: 1, blockColumns: 192)
                : RandomMatrix.Shape(
                    dtype: dtype, rows: 21, columns: 1300, blockRows: 7, blockColumns: 100, rowPhase: 3,
                    columnPhase: dtype == .int4 ? 44 : 45)
            let matrix = RandomMatrix(shape, using: &numbers).matrix
            let input = RandomActivations(bf16: bf16, rows: rows, columns: 1300, using: &numbers)
            for kernels in KernelSet.vectorised {
                let together = kernels.product(input, by: matrix).values
                let alone = (0..<rows).flatMap { kernels.product(input, rows: $0..<$0 + 1, by: matrix).values }
                #expect(firstDifference(together, alone) == nil, "\(kernels.name) \(dtype)")
                let cut = Outputs(rows: rows, columns: 21)
                for part in dtype == .int8 ? [0..<4, 4..<8, 8..<20, 20..<21] : [0..<1, 1..<6, 6..<19, 19..<21] {
                    withExtendedLifetime(input) {
                        kernels.product(
                            matrix, rows: part, input.activations, into: cut.pointer + part.lowerBound,
                            stride: cut.stride)
                    }
                }
                #expect(firstDifference(together, cut.values) == nil, "\(kernels.name) \(dtype), cut")
                #expect(cut.gapsUntouched)
            }
        }
    }

    @Test("a slice of a matrix gives the same bits as the slice's copy")
    func copiesEqualSlices() {
        var numbers = RandomNumbers(seed: 3)
        for dtype in WeightDType.allCases where dtype != .int8 {
            let shape = RandomMatrix.Shape(
                dtype: dtype, rows: 40, columns: 300, blockRows: 16, blockColumns: 48, rowPhase: 5, columnPhase: 50)
            let whole = RandomMatrix(shape, using: &numbers)
            let columns = dtype == .int4 ? 102..<290 : 101..<290
            let slice = whole.matrix.slice(rows: 13..<37).slice(columns: columns)
            let input = RandomActivations(bf16: true, rows: 3, columns: columns.count, using: &numbers)
            let copy = slice.copied()
            #expect(copy.rowStride == columns.count)
            let expected = KernelSet.scalar.product(input, by: slice).values
            #expect(firstDifference(KernelSet.scalar.product(input, by: copy).values, expected) == nil)
            var row = [Float](repeating: 0, count: columns.count)
            KernelSet.scalar.widenRow(copy, row: 23, into: &row)
            #expect(row == columns.map { Float(whole.values[36 * 300 + $0]) })
        }
    }

    @Test("NaN and infinity reach exactly the outputs they belong to", arguments: [false, true])
    func nonFiniteNumbersPropagate(bf16: Bool) {
        var numbers = RandomNumbers(seed: 11)
        for dtype in WeightDType.allCases where Self.inputs(of: dtype).contains(bf16) {
            let shape = RandomMatrix.Shape(
                dtype: dtype, rows: 9, columns: 150, blockRows: dtype == .int8 ? 1 : 128, exponents: -3...3)
            let matrix = RandomMatrix(shape, using: &numbers).matrix
            var floats = (0..<5 * 150).map { _ in numbers.float(exponents: -3...3) }
            floats[1 * 150 + 149] = .nan
            floats[3 * 150 + 7] = .infinity
            let input = RandomActivations(floats, bf16: bf16, rows: 5, columns: 150, stride: 150)
            let expected = KernelSet.scalar.product(input, by: matrix).values
            for kernels in KernelSet.available() {
                let values = kernels.product(input, by: matrix).values
                #expect(firstDifference(values, expected) == nil, "\(kernels.name) \(dtype)")
                for (index, value) in values.enumerated() {
                    switch index / 9 {
                    case 1: #expect(value.isNaN)
                    case 3: #expect(!value.isFinite)
                    default: #expect(value.isFinite)
                    }
                }
            }
        }
    }
}
