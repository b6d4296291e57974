internal import Kernels

/// Memory far larger than the caches, full of seeded weights, out of which matrices are cut in turn: every one is read
/// from memory.
final class Arena {
    private let memory: AlignedBuffer<UInt64>
    private let scales: AlignedBuffer<Float>
    private let processor: Processor
    private(set) var dtype = WeightDType.f32

    /// - Parameter byteCount: a multiple of `chunkByteCount`.
    init(byteCount: Int, processor: Processor) {
        precondition(byteCount.isMultiple(of: Self.chunkByteCount), "the arena is made of whole chunks")
        memory = AlignedBuffer(count: byteCount / 8)
        scales = AlignedBuffer(count: Self.mostScales)
        self.processor = processor
        for index in 0..<scales.count { scales.pointer[index] = 0.25 + Float(index % 64) / 64 }
        fill(with: .f32)
    }

    var byteCount: Int { memory.count * 8 }
    var bytes: UnsafeMutableRawPointer { UnsafeMutableRawPointer(memory.pointer) }

    /// Fills the memory with numbers from 0.5 to 1 of both signs; for FP8 from 1/8 to 2, since weights are scaled such
    /// that hardly any is subnormal; for INT8 and INT4 with any numbers.
    func fill(with dtype: WeightDType) {
        self.dtype = dtype
        let (kept, set) = Self.masks(dtype)
        let words = Self.chunkByteCount / 8
        processor.team.forEach(memory.count / words) { chunk in
            var state = UInt64(chunk + 1) &* 0x9E37_79B9_7F4A_7C15
            for index in chunk * words..<(chunk + 1) * words {
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                memory.pointer[index] = state & kept | set
            }
        }
    }

    /// The `number`th matrix of this shape, round and round.
    func matrix(_ number: Int, rows: Int, columns: Int) -> WeightMatrix {
        let size = dtype.byteCount(rows: rows, columns: columns)
        let place = bytes + number % max(byteCount / size, 1) * size
        let blocks = (columns + Self.block - 1) / Self.block
        return WeightMatrix(
            dtype: dtype, rows: rows, columns: columns, weights: UnsafeRawPointer(place),
            scales: dtype.isScaled
                ? BlockScales(
                    values: UnsafePointer(scales.pointer), stride: blocks,
                    blockRows: dtype == .f8e4m3 ? Self.block : 1, blockColumns: Self.block) : nil, owner: memory)
    }

    /// Which random bits to keep in each word, and which to set.
    private static func masks(_ dtype: WeightDType) -> (kept: UInt64, set: UInt64) {
        switch dtype {
        case .f32: (0x807f_ffff_807f_ffff, 0x3f00_0000_3f00_0000)
        case .bf16: (0x807f_807f_807f_807f, 0x3f00_3f00_3f00_3f00)
        case .f16: (0x83ff_83ff_83ff_83ff, 0x3800_3800_3800_3800)
        case .f8e4m3: (0x9f9f_9f9f_9f9f_9f9f, 0x2020_2020_2020_2020)
        case .int8, .int4: (.max, 0)
        }
    }

    static let chunkByteCount = 1 << 20
    private static let block = 128
    /// As a matrix of R1's experts has them in INT8 and INT4, where each row has its own.
    private static let mostScales = 7168 * 2048 / block
}
