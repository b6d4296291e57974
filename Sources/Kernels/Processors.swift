internal import CKernels

/// The processors that the system lets this process run on.
package enum Processors {
    /// More than any machine has.
    private static let most = 8192

    /// Their numbers, ascending; never empty.
    package static func allowed() -> [Int] {
        let numbers = [UInt32](unsafeUninitializedCapacity: most) { buffer, count in
            count = cohort_allowed_processors(buffer.baseAddress, most)
        }
        return numbers.isEmpty ? [0] : numbers.map(Int.init)
    }

    /// Keeps the calling thread on one processor. A system that refuses is obeyed: pinning is for speed alone.
    static func pinCaller(to processor: Int) {
        _ = cohort_pin_caller(UInt32(processor))
    }
}
