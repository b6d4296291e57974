internal import CKernels

/// What this machine can do at best by one instruction set.
extension KernelSet {
    /// Bytes that `readThrough` takes at a time.
    package static let readGranule = 512

    /// Reads memory and does next to nothing with it.
    /// - Parameter bytes: a multiple of `readGranule` bytes.
    /// - Returns: the XOR of the 64-bit words.
    package func readThrough(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        precondition(bytes.count.isMultiple(of: Self.readGranule), "memory is read in granules")
        guard let base = bytes.baseAddress else { return 0 }
        return table.read(base, bytes.count)
    }

    /// What products are multiplied in.
    package enum Arithmetic: String, Sendable, CaseIterable, Encodable {
        case f32
        case bf16
        case int8

        /// A word of ones.
        fileprivate var ones: UInt32 {
            switch self {
            case .f32: Float(1).bitPattern
            case .bf16: 0x3f80_3f80
            case .int8: 0x0101_0101
            }
        }
    }

    /// Multiplies ones on registers alone.
    /// - Returns: the multiply-adds done, and their sum, which is the same number as long as f32 holds it.
    package func multiplyOnes(rounds: Int, in arithmetic: Arithmetic) -> (count: Int, sum: Float) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: Int(COHORT_PEAK_VALUES)) { values in
            guard let base = values.baseAddress else { return (0, 0) }
            let factors = 2 * Self.lanes
            values.initialize(repeating: 0)
            for index in 0..<factors { values[index] = Float(bitPattern: arithmetic.ones) }
            let sums = values[factors...]
            switch arithmetic {
            case .f32: return (Int(table.peak_f32(UInt64(rounds), base)), sums.reduce(0, +))
            case .bf16: return (Int(table.peak_bf16(UInt64(rounds), base)), sums.reduce(0, +))
            case .int8:
                return (Int(table.peak_i8(UInt64(rounds), base)), sums.reduce(0) { $0 + Float($1.bitPattern) })
            }
        }
    }

    private static let lanes = 16
}
