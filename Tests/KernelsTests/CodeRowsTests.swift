import Kernels
import Testing

/// Rows as INT8 codes, and their products with INT8 matrices.
@Suite struct CodeRowsTests {
    /// A block as `CodeRows` lays it out.
    private struct Block: Equatable {
        var starts: SIMD4<Int32>
        var scale: Float
        var codes: [Int8]

        init(_ place: UnsafeRawPointer) {
            let words = place.assumingMemoryBound(to: Int32.self)
            starts = SIMD4(words[0], words[1], words[2], words[3])
            scale = (place + 16).assumingMemoryBound(to: Float.self).pointee
            codes = (0..<128).map { (place + 32).assumingMemoryBound(to: Int8.self)[$0] }
        }

        static func == (left: Block, right: Block) -> Bool {
            let scales = left.scale.bitPattern == right.scale.bitPattern || left.scale.isNaN && right.scale.isNaN
            return left.starts == right.starts && scales && left.codes == right.codes
        }
    }

    /// Rows of numbers and their codes, which end where memory does.
    private struct Rows {
        let values: [[Float]]
        let memory: GuardedMemory
        let stride: Int

        init(_ values: [[Float]], _ kernels: KernelSet, spare: Int = 0) {
            let columns = values[0].count
            let size = CodeRows.byteCount(columns: columns)
            stride = size + CodeRows.byteCount(columns: spare)
            self.values = values
            memory = GuardedMemory(byteCount: (values.count - 1) * stride + size)
            for (row, values) in values.enumerated() {
                let input = GuardedMemory(values)
                withExtendedLifetime(input) {
                    kernels.narrow(input.floats, count: columns, blocks: memory.bytes + row * stride)
                }
            }
        }

        var columns: Int { values[0].count }

        var activations: Activations {
            Activations(.int8(CodeRows(memory.bytes, stride: stride)), rows: values.count, columns: columns)
        }

        func block(_ row: Int, _ index: Int) -> Block {
            Block(memory.bytes + row * stride + index * CodeRows.byteCount(columns: 1))
        }

        /// What the codes stand for.
        func decoded(_ row: Int, _ column: Int) -> Double {
            let block = block(row, column / KernelSet.rowBlock)
            return Double(block.codes[column % KernelSet.rowBlock]) * Double(block.scale)
        }
    }

    private static func rows(_ count: Int, columns: Int, exponents: ClosedRange<Int>, seed: Int) -> [[Float]] {
        var numbers = RandomNumbers(seed: seed)
        return (0..<count).map { _ in (0..<columns).map { _ in numbers.float(exponents: exponents) } }
    }

    private static func matrix(
        rows: Int, columns: Int, rowPhase: Int = 0, using numbers: inout RandomNumbers
    ) -> RandomMatrix {
        RandomMatrix(
            .init(
                dtype: .int8, rows: rows, columns: columns, blockRows: 1, blockColumns: HeldDType.groupColumns,
                rowPhase: rowPhase),
            using: &numbers)
    }

    private static let widths = [1, 3, 4, 15, 16, 17, 63, 64, 65, 127, 128, 129, 192, 200, 256, 300, 576, 1100, 2304]

    @Test("every instruction set makes the scalar twin's blocks, and zeros behind a row", arguments: widths)
    func blocksEqualScalar(columns: Int) {
        for (seed, exponents) in [-12...3, -149 ... -90, 100...126].enumerated() {
            var values = Self.rows(4, columns: columns, exponents: exponents, seed: seed)
            values[1][columns / 2] = [.nan, .infinity, -.infinity][seed]
            values[2] = values[2].map { _ in 0 }
            values[3] = values[3].map { _ in [-0.5, 0.5, -0.0][seed] }
            let expected = Rows(values, .scalar)
            for kernels in KernelSet.available() {
                let made = Rows(values, kernels)
                for row in 0..<4 {
                    for index in 0..<(columns + 127) / 128 {
                        #expect(made.block(row, index) == expected.block(row, index), "\(kernels.name)")
                        let behind = made.block(row, index).codes[min(128, columns - index * 128)...]
                        #expect(behind.allSatisfy { $0 == 0 })
                    }
                }
            }
        }
    }

    @Test("a code is the nearest to its number, the largest is 127, and lanes start at -128 times their codes' sum")
    func codesAreNearest() {
        for values in Self.rows(20, columns: 200, exponents: -6...3, seed: 9) {
            let rows = Rows([values], .scalar)
            for (index, columns) in [0..<128, 128..<200].enumerated() {
                let block = rows.block(0, index)
                let largest = values[columns].map(abs).max() ?? 0
                #expect(block.codes.map { abs(Int($0)) }.max() == 127)
                #expect(block.scale == largest / 127)
                for column in columns {
                    let error = abs(rows.decoded(0, column) - Double(values[column]))
                    #expect(error <= Double(largest) / 127 * 0.5001)
                }
                for lane in 0..<4 {
                    let own = block.codes.indices.filter { $0 / 4 % 4 == lane }.map { Int32(block.codes[$0]) }
                    #expect(block.starts[lane] == -128 * own.reduce(0, +))
                }
            }
        }
    }

    @Test("halves go to the even code; a block that has no finite scale is NaN, one of next to nothing zero")
    func specialBlocks() {
        let halves = [127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, -127] as [Float]
        let tiny = [0x1p-101, -0x1p-149, 0] as [Float]
        for kernels in KernelSet.available() {
            #expect(Array(Rows([halves], kernels).block(0, 0).codes[..<8]) == [127, 0, 2, 2, 0, -2, -2, -127])
            for broken in [Float.nan, .infinity, -.infinity] {
                let block = Rows([[1, broken, -3]], kernels).block(0, 0)
                #expect(block.scale.isNaN && block.codes.allSatisfy { $0 == 0 } && block.starts == .zero)
            }
            let block = Rows([tiny], kernels).block(0, 0)
            #expect(block.scale == 0 && block.codes.allSatisfy { $0 == 0 })
        }
    }

    @Test("every instruction set multiplies to the scalar twin's bits", arguments: widths)
    func productsEqualScalar(columns: Int) {
        var numbers = RandomNumbers(seed: columns)
        for (rows, inputs) in [(1, 1), (19, 2), (16, 3), (33, 5), (9, 8), (21, 17), (40, 64), (17, 131)] {
            let exponents = [-6...3, -140 ... -60, 60...120].randomElement(using: &numbers) ?? 0...0
            var values = Self.rows(inputs, columns: columns, exponents: exponents, seed: rows)
            if inputs > 2 { values[inputs - 1][columns - 1] = .nan }
            let matrix = Self.matrix(rows: rows, columns: columns, rowPhase: inputs % 2 * 4, using: &numbers)
            let input = Rows(values, .scalar, spare: rows % 3 * 128)
            let expected = KernelSet.scalar.product(input.activations, by: matrix.matrix).values
            for kernels in KernelSet.vectorised {
                let outputs = kernels.product(input.activations, by: matrix.matrix)
                #expect(firstDifference(outputs.values, expected) == nil, "\(kernels.name): \(rows), \(inputs)")
                #expect(outputs.gapsUntouched)
            }
            withExtendedLifetime((input, matrix)) {}
        }
    }

    @Test("a product is that of the codes, but for the rounding of its blocks, and near that of the numbers")
    func productIsNear() {
        var numbers = RandomNumbers(seed: 5)
        for columns in [100, 128, 1000] {
            let matrix = Self.matrix(rows: 7, columns: columns, using: &numbers)
            let input = Rows(Self.rows(3, columns: columns, exponents: -3...0, seed: columns), .scalar)
            let outputs = KernelSet.scalar.product(input.activations, by: matrix.matrix)
            for row in 0..<3 {
                for n in 0..<7 {
                    var (codes, exact, magnitude, error) = (0.0, 0.0, 0.0, 0.0)
                    for column in 0..<columns {
                        let weight = matrix.values[n * columns + column]
                        let value = Double(input.values[row][column])
                        codes += weight * input.decoded(row, column)
                        exact += weight * value
                        magnitude += abs(weight * input.decoded(row, column))
                        // Half a step of a block whose largest number is below 2.
                        error += abs(weight) / 127
                    }
                    let value = Double(outputs.pointer[row * outputs.stride + n])
                    #expect(abs(value - codes) <= Double(columns / 128 + 5) * 0x1p-23 * magnitude)
                    #expect(abs(value - exact) <= error)
                }
            }
        }
    }

    @Test(
        "a row's bits depend neither on its company nor on how the matrix is cut", arguments: [2, 3, 4, 7, 16, 64, 131])
    func rowsAreIndependent(count: Int) {
        var numbers = RandomNumbers(seed: count)
        for columns in [1300, 1280] {
            let matrix = Self.matrix(rows: 37, columns: columns, using: &numbers).matrix
            let input = Rows(Self.rows(count, columns: columns, exponents: -6...3, seed: 1), .scalar)
            for kernels in KernelSet.vectorised {
                let together = kernels.product(input.activations, by: matrix).values
                let alone = (0..<count).flatMap {
                    kernels.product(input.activations.slice(rows: $0..<$0 + 1), by: matrix).values
                }
                #expect(firstDifference(together, alone) == nil, "\(kernels.name)")
                let cut = Outputs(rows: count, columns: 37)
                for part in [0..<4, 4..<12, 12..<32, 32..<36, 36..<37] {
                    kernels.product(
                        matrix, rows: part, input.activations, into: cut.pointer + part.lowerBound, stride: cut.stride)
                }
                #expect(firstDifference(together, cut.values) == nil, "\(kernels.name), cut")
            }
            withExtendedLifetime(input) {}
        }
    }

    @Test("a slice of a matrix's rows multiplies as the whole does")
    func slices() {
        var numbers = RandomNumbers(seed: 6)
        let matrix = Self.matrix(rows: 20, columns: 500, using: &numbers).matrix
        let input = Rows(Self.rows(5, columns: 500, exponents: -3...3, seed: 2), .scalar)
        for kernels in KernelSet.available() {
            let whole = kernels.product(input.activations, by: matrix).values
            let part = kernels.product(input.activations, by: matrix.slice(rows: 4..<19)).values
            for row in 0..<5 {
                let expected = Array(whole[row * 20 + 4..<row * 20 + 19])
                #expect(firstDifference(Array(part[row * 15..<(row + 1) * 15]), expected) == nil, "\(kernels.name)")
            }
        }
        withExtendedLifetime(input) {}
    }
}

extension KernelSet {
    fileprivate func product(_ input: Activations, by matrix: WeightMatrix) -> Outputs {
        let outputs = Outputs(rows: input.rows, columns: matrix.rows)
        product(matrix, rows: 0..<matrix.rows, input, into: outputs.pointer, stride: outputs.stride)
        return outputs
    }
}
