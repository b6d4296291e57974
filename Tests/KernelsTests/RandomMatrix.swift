import Kernels

/// A matrix of random bits at a random address, with its values in double precision. INT8 stands in
/// fours of rows, as their scales do.
struct RandomMatrix {
    struct Shape {
        var dtype: WeightDType
        var rows: Int
        var columns: Int
        var blockRows = 128
        var blockColumns = 128
        var rowPhase = 0
        var columnPhase = 0
        var exponents = -12...12
        var scaleExponents = -12 ... -4
    }

    let matrix: WeightMatrix
    /// [rows * columns], scales multiplied in.
    let values: [Double]

    init(_ shape: Shape, using numbers: inout RandomNumbers) {
        let isInt8 = shape.dtype == .int8
        let rowStride = shape.dtype.packedStride(shape.columns + (isInt8 ? 0 : Int.random(in: 0...3, using: &numbers)))
        let weights = GuardedMemory(
            byteCount: isInt8
                ? (shape.rows + 3) / 4 * 4 * rowStride
                : shape.dtype.byteCount((shape.rows - 1) * rowStride + shape.columns),
            gap: Int.random(in: 0...3, using: &numbers))
        let scales = Self.scales(shape, using: &numbers)
        let scaleStride = Self.blocks(shape.columnPhase, shape.columns, shape.blockColumns)
        var values: [Double] = []
        for row in 0..<shape.rows {
            for column in 0..<shape.columns {
                var bits = StoredNumbers.randomBits(shape.dtype, exponents: shape.exponents, using: &numbers)
                let place =
                    isInt8
                    ? row / 4 * 4 * rowStride + column / 16 * 64 + row % 4 * 16 + column % 16 : row * rowStride + column
                Self.store(&bits, shape.dtype, at: place, in: weights)
                let blockRow = (shape.rowPhase + row) / shape.blockRows
                let blockColumn = (shape.columnPhase + column) / shape.blockColumns
                let block =
                    isInt8
                    ? blockRow / 4 * 4 * scaleStride + blockColumn * 4 + blockRow % 4
                    : blockRow * scaleStride + blockColumn
                let scale = shape.dtype.isScaled ? Double(scales.floats[block]) : 1
                values.append(StoredNumbers.value(shape.dtype, bits: bits) * scale)
            }
        }
        self.values = values
        let blockScales = BlockScales(
            values: scales.floats, stride: scaleStride, blockRows: shape.blockRows, blockColumns: shape.blockColumns)
        matrix = WeightMatrix(
            dtype: shape.dtype, rows: shape.rows, columns: shape.columns, weights: weights.bytes, rowStride: rowStride,
            scales: shape.dtype.isScaled ? blockScales : nil, rowPhase: shape.rowPhase,
            columnPhase: shape.columnPhase, owner: Owner(weights: weights, scales: scales))
    }

    private static func store(_ bits: inout UInt32, _ dtype: WeightDType, at index: Int, in memory: GuardedMemory) {
        guard dtype == .int4 else {
            let size = dtype.byteCount(1)
            (memory.bytes + index * size).copyMemory(from: &bits, byteCount: size)
            return
        }
        memory.pointer(to: UInt8.self)[index / 2] |= UInt8(bits) << (index % 2 * 4)
    }

    final class Owner: Sendable {
        let memory: [GuardedMemory]

        init(weights: GuardedMemory, scales: GuardedMemory) {
            memory = [weights, scales]
        }
    }

    private static func blocks(_ phase: Int, _ count: Int, _ size: Int) -> Int { (phase + count + size - 1) / size }

    private static func scales(_ shape: Shape, using numbers: inout RandomNumbers) -> GuardedMemory {
        let rows = shape.dtype == .int8 ? (shape.rowPhase + shape.rows + 3) / 4 * 4 : nil
        let count =
            (rows ?? blocks(shape.rowPhase, shape.rows, shape.blockRows))
            * blocks(shape.columnPhase, shape.columns, shape.blockColumns)
        return GuardedMemory((0..<count).map { _ in numbers.float(exponents: shape.scaleExponents) })
    }
}

/// Random rows of activations, with their values in double precision.
final class RandomActivations {
    let activations: Activations
    /// [rows * columns]
    let values: [Double]
    private let memory: GuardedMemory

    convenience init(
        bf16: Bool, rows: Int, columns: Int, exponents: ClosedRange<Int> = -12...12, using numbers: inout RandomNumbers
    ) {
        let stride = columns + Int.random(in: 0...3, using: &numbers)
        let floats = (0..<(rows - 1) * stride + columns).map { _ in numbers.float(exponents: exponents) }
        self.init(floats, bf16: bf16, rows: rows, columns: columns, stride: stride)
    }

    /// The given numbers, their lower halves cut off for bf16.
    init(_ numbers: [Float], bf16: Bool, rows: Int, columns: Int, stride: Int) {
        let floats = numbers.map { bf16 ? Float(bitPattern: $0.bitPattern & 0xFFFF_0000) : $0 }
        memory = bf16 ? GuardedMemory(floats.map { UInt16($0.bitPattern >> 16) }) : GuardedMemory(floats)
        activations = Activations(
            bf16 ? .bf16(memory.pointer(to: UInt16.self)) : .f32(memory.floats), rows: rows, columns: columns,
            stride: stride)
        values = (0..<rows).flatMap { row in (0..<columns).map { Double(floats[row * stride + $0]) } }
    }
}

extension KernelSet {
    /// The product of some input rows, all if nil, with a whole matrix.
    func product(_ input: RandomActivations, rows: Range<Int>? = nil, by matrix: WeightMatrix) -> Outputs {
        let activations = input.activations.slice(rows: rows)
        let outputs = Outputs(rows: activations.rows, columns: matrix.rows)
        withExtendedLifetime(input) {
            product(matrix, rows: 0..<matrix.rows, activations, into: outputs.pointer, stride: outputs.stride)
        }
        return outputs
    }

    static var scalar: KernelSet { available().last ?? available()[0] }
    static var vectorised: [KernelSet] { available().filter { $0.name != "scalar" } }
}
