import Kernels
import Testing

@Suite struct WidenTests {
    /// Every code of a dtype of 8 or 16 bits as one matrix row.
    private static func everyCode(_ dtype: WeightDType, scale: Float) -> (matrix: WeightMatrix, values: [Double]) {
        let codes = dtype == .int4 ? 0..<16 : 0..<UInt32(1) << (8 * dtype.byteCount(1))
        let memory: GuardedMemory
        switch dtype {
        case .int4: memory = GuardedMemory((0..<UInt8(8)).map { 0x10 + $0 * 0x22 })
        case .f8e4m3: memory = GuardedMemory(codes.map { UInt8($0) })
        // The first of four rows, 16 columns at a time; the others have the same codes.
        case .int8: memory = GuardedMemory((0..<UInt16(1024)).map { UInt8($0 / 64) * 16 + UInt8($0 % 16) })
        default: memory = GuardedMemory(codes.map { UInt16($0) })
        }
        let scales = GuardedMemory([scale, -7, -7, -7])
        let matrix = WeightMatrix(
            dtype: dtype, rows: 1, columns: codes.count, weights: memory.bytes,
            scales: dtype.isScaled
                ? BlockScales(values: scales.floats, stride: 1, blockRows: 1, blockColumns: 256) : nil,
            owner: RandomMatrix.Owner(weights: memory, scales: scales))
        return (matrix, codes.map { StoredNumbers.value(dtype, bits: $0) * Double(scale) })
    }

    @Test("every code of every dtype widens to its value", arguments: [WeightDType.f8e4m3, .int8, .int4, .f16, .bf16])
    func everyCodeWidens(dtype: WeightDType) {
        let (matrix, expected) = Self.everyCode(dtype, scale: dtype.isScaled ? 0.75 : 1)
        for kernels in KernelSet.available() {
            let outputs = Outputs(rows: 1, columns: matrix.columns)
            kernels.widenRow(matrix, row: 0, into: outputs.pointer)
            #expect(firstDifference(outputs.values, expected.map { Float($0) }) == nil, "\(kernels.name)")
            #expect(outputs.gapsUntouched)
        }
    }

    @Test("every FP8 code enters a product as its value, whatever the activations' dtype")
    func everyCodeMultiplies() {
        let (row, values) = Self.everyCode(.f8e4m3, scale: 1)
        // One code in each matrix row, so that each output is one code's value.
        let matrix = WeightMatrix(
            dtype: .f8e4m3, rows: 256, columns: 1, weights: row.weights,
            scales: row.scales.map { BlockScales(values: $0.values, stride: 1, blockRows: 256, blockColumns: 1) },
            owner: row.owner)
        for kernels in KernelSet.available() {
            for bf16 in [false, true] {
                let one = RandomActivations([1], bf16: bf16, rows: 1, columns: 1, stride: 1)
                let outputs = kernels.product(one, by: matrix)
                // fma(-0, 1, +0) is +0.
                #expect(firstDifference(outputs.values, values.map { Float($0) + 0 }) == nil, "\(kernels.name)")
            }
        }
    }

    @Test(
        "so it does where it stands alone among usual ones, with few rows of input and with many",
        arguments: [0, 1, 14, 15, 16, 31], [1, 12])
    func everyCodeAlone(column: Int, inputRows: Int) {
        // One code in each four matrix rows, and the input is 1 at its column.
        let (codes, columns, one) = (256, 32, UInt8(0x38))
        var weights = [UInt8](repeating: one, count: codes * 4 * columns)
        var expected: [Float] = []
        for code in 0..<codes {
            weights[code * 4 * columns + column] = UInt8(code)
            expected += [Float(StoredNumbers.value(.f8e4m3, bits: UInt32(code))) + 0, 1, 1, 1]
        }
        let memory = (weights: GuardedMemory(weights), scales: GuardedMemory([Float(1)]))
        let matrix = WeightMatrix(
            dtype: .f8e4m3, rows: codes * 4, columns: columns, weights: memory.weights.bytes,
            scales: BlockScales(values: memory.scales.floats, stride: 1, blockRows: codes * 4, blockColumns: columns),
            owner: RandomMatrix.Owner(weights: memory.weights, scales: memory.scales))
        var input = [Float](repeating: 0, count: inputRows * columns)
        for row in 0..<inputRows { input[row * columns + column] = 1 }
        let rows = RandomActivations(input, bf16: true, rows: inputRows, columns: columns, stride: columns)
        for kernels in KernelSet.available() {
            let values = kernels.product(rows, by: matrix).values
            for row in 0..<inputRows {
                let output = Array(values[row * codes * 4..<(row + 1) * codes * 4])
                #expect(firstDifference(output, expected) == nil, "\(kernels.name), input row \(row)")
            }
        }
    }

    @Test("bf16 narrows to nearest even, widens exactly, and NaN stays NaN")
    func bf16RoundTrip() {
        var numbers = RandomNumbers(seed: 5)
        var floats = (0..<UInt32(1) << 16).map { Float(bitPattern: $0 << 16) }  // stay as they are
        floats += (0..<UInt32(1) << 16).map { Float(bitPattern: $0 << 16 | 0x8000) }  // halfway
        floats += (0..<UInt32(1) << 16).map {
            Float(bitPattern: $0 << 16 | UInt32.random(in: 0...0xFFFF, using: &numbers))
        }
        floats += [Float(bitPattern: 0x7F80_0001), Float(bitPattern: 0xFF80_0001)]
        let input = GuardedMemory(floats)
        for kernels in KernelSet.available() {
            let narrow = GuardedMemory(byteCount: 2 * floats.count)
            let wide = Outputs(rows: 1, columns: floats.count)
            withExtendedLifetime((input, narrow)) {
                kernels.narrow(input.floats, count: floats.count, into: narrow.pointer(to: UInt16.self))
                kernels.widen(narrow.pointer(to: UInt16.self), count: floats.count, into: wide.pointer)
            }
            let wrong = zip(floats, wide.values).first { !Self.isRounded($0, to: $1) }
            #expect(wrong == nil, "\(kernels.name): \(String(describing: wrong))")
            #expect(wide.gapsUntouched)
        }
    }

    /// Nearest in double precision, of two equally near the one with an even last bit.
    private static func isRounded(_ value: Float, to rounded: Float) -> Bool {
        if value.isNaN { return rounded.isNaN }
        let below = Float(bitPattern: value.bitPattern & 0xFFFF_0000)
        let aboveBits = below.bitPattern + 0x1_0000
        // Beyond the largest bf16 stands 2^128, where infinity begins.
        let above = aboveBits & 0x7FFF_FFFF == 0x7F80_0000 ? 0x1p128 : abs(Double(Float(bitPattern: aboveBits)))
        let magnitude = abs(Double(value))
        if value.isInfinite { return rounded == value }
        let down = magnitude - abs(Double(below))
        let up = above - magnitude
        let isEven = below.bitPattern & 0x1_0000 == 0
        let takesBelow = down < up || (down == up && isEven)
        return rounded.bitPattern == (takesBelow ? below.bitPattern : aboveBits)
    }
}
