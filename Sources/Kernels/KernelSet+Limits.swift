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

    /// Multiplies ones on registers alone.
    /// - Parameter narrow: pairs of bf16 as products read them; else f32.
    /// - Returns: the multiply-adds done, and their sum, which is the same number as long as f32 holds it.
    package func multiplyOnes(rounds: Int, narrow: Bool) -> (count: Int, sum: Float) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: Int(COHORT_PEAK_VALUES)) { values in
            guard let base = values.baseAddress else { return (0, 0) }
            let factors = 2 * Self.lanes
            values.initialize(repeating: 0)
            for index in 0..<factors { values[index] = narrow ? Float(bitPattern: Self.pairOfOnes) : 1 }
            let count = (narrow ? table.peak_bf16 : table.peak_f32)(UInt64(rounds), base)
            return (Int(count), values[factors...].reduce(0, +))
        }
    }

    private static let lanes = 16
    /// Two ones in bf16.
    private static let pairOfOnes: UInt32 = 0x3f80_3f80
}
