internal import Crypto
internal import Foundation
internal import Kernels

/// One tensor of a synthetic checkpoint: any part of its bytes follows from the seed, the tensor's name and the
/// position of the element, so that threads and order do not matter.
struct SyntheticTensor: Sendable {
    /// Elements that parts begin at multiples of: eight FP8 codes come out of one random word.
    static let alignment = 8

    let spec: TensorSpec
    private let distribution: SyntheticDistribution
    private let key: UInt64
    /// Rows, of a head, that are made small.
    private let quietRows: [Int]

    /// - Parameter columns: inner dimension of the weight, also where `spec` is its scale.
    init(_ spec: TensorSpec, columns: Int, seed: UInt64, config: ModelConfig, codeDeviation: Double) {
        self.spec = spec
        let isHead = spec.part == .head || (spec.part == .embedding && config.tiedEmbeddings)
        quietRows = isHead ? config.eosTokenIDs : []
        key = Self.key(seed, Self.sourceName(spec, config))
        distribution = Self.distribution(spec, columns: columns, config: config, codeDeviation: codeDeviation)
    }

    /// Writes `range` of the elements; its start is a multiple of `alignment`, the memory 8-byte aligned.
    func fill(_ range: Range<Int>, into memory: UnsafeMutableRawPointer, tables: SyntheticTables) {
        switch spec.dtype {
        case .f8e4m3:
            fill(range, memory.assumingMemoryBound(to: UInt8.self), bits: 8, table: tables.codes)
        case .f16, .int8, .int4: preconditionFailure("nothing is stored as \(spec.dtype)")
        case .bf16:
            let values = memory.assumingMemoryBound(to: UInt16.self)
            fill(range, values, bits: 16, table: tables.bfloats(distribution))
            quieten(range, values)
        case .f32:
            fill(range, memory.assumingMemoryBound(to: Float.self), bits: 16, table: tables.floats(distribution))
        }
    }

    /// Cuts random words into indices of `bits` and looks them up.
    @inline(__always)
    private func fill<Value>(
        _ range: Range<Int>, _ output: UnsafeMutablePointer<Value>, bits: Int, table: [Value]
    ) {
        let perWord = 64 / bits
        let mask = UInt64(1) << UInt64(bits) - 1
        let key = key
        table.withUnsafeBufferPointer { table in
            var element = range.lowerBound
            var written = output
            while element + perWord <= range.upperBound {
                let word = Self.random(key, element / perWord)
                for lane in 0..<perWord {
                    written[lane] = table[Int(word >> UInt64(lane * bits) & mask)]
                }
                element += perWord
                written += perWord
            }
            if element < range.upperBound {
                let word = Self.random(key, element / perWord)
                for lane in 0..<range.upperBound - element {
                    written[lane] = table[Int(word >> UInt64(lane * bits) & mask)]
                }
            }
        }
    }

    /// Divides the elements of quiet rows by 32, so that their tokens never win.
    private func quieten(_ range: Range<Int>, _ output: UnsafeMutablePointer<UInt16>) {
        guard !quietRows.isEmpty, spec.shape.count == 2 else { return }
        let columns = spec.shape[1]
        for row in quietRows {
            for element in (row * columns..<(row + 1) * columns).clamped(to: range) {
                let value = Float(bitPattern: UInt32(output[element - range.lowerBound]) << 16)
                output[element - range.lowerBound] = SyntheticTables.bfloat(value / 32)
            }
        }
    }

    /// The word at a position of the stream that belongs to the key (SplitMix64).
    @inline(__always)
    private static func random(_ key: UInt64, _ position: Int) -> UInt64 {
        var word = key &+ UInt64(truncatingIfNeeded: position &+ 1) &* 0x9E37_79B9_7F4A_7C15
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    private static func key(_ seed: UInt64, _ name: String) -> UInt64 {
        var bytes = withUnsafeBytes(of: seed.littleEndian) { Data($0) }
        bytes.append(contentsOf: name.utf8)
        return SHA256.hash(data: bytes).withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    }

    /// MTP layers hold copies of the embedding and the head.
    private static func sourceName(_ spec: TensorSpec, _ config: ModelConfig) -> String {
        switch spec.part {
        case .embedding: TensorName.embedding
        case .head: config.tiedEmbeddings ? TensorName.embedding : TensorName.head
        default: spec.name
        }
    }
}

extension SyntheticTensor {
    /// Standard deviation of the logits.
    private static let logitDeviation = 4.0

    /// Spreads with which random models neither saturate nor die out: activations near 1, router scores apart,
    /// attention neither flat nor one-hot, the routed experts' share half of the shared expert's.
    private static func distribution(
        _ spec: TensorSpec, columns: Int, config: ModelConfig, codeDeviation: Double
    ) -> SyntheticDistribution {
        let deviation = gain(spec, config) / Double(columns).squareRoot()
        if spec.isScale {
            // Blocks differ in magnitude, with the wanted deviation over all of them: E[exp(z / 2)^2] = exp(1 / 2).
            return .logNormal(sigma: 0.5, factor: deviation / codeDeviation / exp(0.25))
        }
        switch spec.part {
        case .norm: return .logNormal(sigma: 0.25, factor: 1.03)
        case .routerBias: return .normal(deviation: 0.05)
        case .embedding where !config.tiedEmbeddings: return .normal(deviation: 1)
        default: return .normal(deviation: deviation)
        }
    }

    /// Standard deviation of the output for inputs of deviation 1.
    private static func gain(_ spec: TensorSpec, _ config: ModelConfig) -> Double {
        switch spec.part {
        case .embedding, .head: logitDeviation
        case .norm, .routerBias, .queryDown, .join: 1
        case .query, .queryUp, .latentDown, .latentUp: 0.84
        case .output: 0.9
        case .router, .gate, .up: 1.3
        case .down:
            switch spec.role {
            case .expert: 0.5
            case .sharedExpert: 0.9
            default: 1.2
            }
        }
    }
}
