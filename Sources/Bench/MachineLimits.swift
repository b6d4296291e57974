internal import Kernels

/// What this machine can do at best: reading memory, and arithmetic on registers.
package struct MachineLimits: Sendable {
    package let threads: Int
    package let kernelSet: String
    /// Bytes per second that all threads together read from memory far larger than the caches.
    package private(set) var readBandwidth: Samples
    /// Floating-point operations per second, two for each multiply-add.
    package private(set) var peakF32: Samples
    package private(set) var peakBF16: Samples
    package private(set) var peakInt8: Samples

    package init(
        threads: Int, kernelSet: String, readBandwidth: Samples, peakF32: Samples, peakBF16: Samples,
        peakInt8: Samples
    ) {
        self.threads = threads
        self.kernelSet = kernelSet
        self.readBandwidth = readBandwidth
        self.peakF32 = peakF32
        self.peakBF16 = peakBF16
        self.peakInt8 = peakInt8
    }

    /// Measures them in a second or so.
    init(of processor: Processor, _ arena: Arena) {
        self.init(
            threads: processor.team.threads, kernelSet: processor.kernels.name,
            readBandwidth: Self.readBandwidth(processor, arena), peakF32: Self.peak(processor, .f32),
            peakBF16: Self.peak(processor, .bf16), peakInt8: Self.peak(processor, .int8))
    }

    /// Measures them once more: on a shared machine they change from minute to minute.
    mutating func remeasure(_ processor: Processor, _ arena: Arena) {
        let now = MachineLimits(of: processor, arena)
        readBandwidth = readBandwidth + now.readBandwidth
        peakF32 = peakF32 + now.peakF32
        peakBF16 = peakBF16 + now.peakBF16
        peakInt8 = peakInt8 + now.peakInt8
    }

    /// Bytes per second, of memory that nobody else reads meanwhile.
    static func readBandwidth(_ processor: Processor, _ arena: Arena, seconds: Double = 0.3) -> Samples {
        Stopwatch(seconds: seconds, mostRepetitions: 30).measure { _ in read(arena, processor) }
            .mapped { Double(arena.byteCount) / $0 }
    }

    /// Reads all of it once.
    static func read(_ arena: Arena, _ processor: Processor) {
        processor.team.forEach(arena.byteCount / pieceByteCount) { piece in
            let bytes = UnsafeRawBufferPointer(start: arena.bytes + piece * pieceByteCount, count: pieceByteCount)
            _ = processor.kernels.readThrough(bytes)
        }
    }

    private static func peak(_ processor: Processor, _ arithmetic: KernelSet.Arithmetic) -> Samples {
        let perRound = processor.kernels.multiplyOnes(rounds: 1, in: arithmetic).count
        let rounds = multiplyAddsOfPiece / max(perRound, 1)
        let pieces = processor.team.threads * piecesPerThread
        return Stopwatch(seconds: 0.2, mostRepetitions: 30).measure { _ in
            processor.team.forEach(pieces) { _ in
                _ = processor.kernels.multiplyOnes(rounds: rounds, in: arithmetic)
            }
        }.mapped { 2 * Double(pieces * rounds * perRound) / $0 }
    }

    private static let pieceByteCount = 1 << 20
    /// Some 100 microseconds of a vector unit.
    private static let multiplyAddsOfPiece = 1 << 22
    private static let piecesPerThread = 16
}

extension MachineLimits: Encodable {
    private enum Key: CodingKey {
        case threads, kernelSet, readBandwidth, peakF32, peakBF16, peakInt8
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(threads, forKey: .threads)
        try container.encode(kernelSet, forKey: .kernelSet)
        try container.encode(readBandwidth.summary, forKey: .readBandwidth)
        try container.encode(peakF32.summary, forKey: .peakF32)
        try container.encode(peakBF16.summary, forKey: .peakBF16)
        try container.encode(peakInt8.summary, forKey: .peakInt8)
    }
}
