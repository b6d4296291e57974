internal import CKernels

/// The processors that the system lets this process run on.
package enum Processors {
    /// More than any machine has.
    static let most = 8192

    /// Their numbers, ascending; never empty.
    package static func allowed() -> [Int] {
        let numbers = [UInt32](unsafeUninitializedCapacity: most) { buffer, count in
            count = cohort_allowed_processors(buffer.baseAddress, most)
        }
        return numbers.isEmpty ? [0] : numbers.map(Int.init)
    }

    /// Deals cores to processes that share a machine, as evenly as can be, the last first: the coordinator's own thread
    /// is on the first, sends to the last of the workers, and has to make room there for it. Parts are neighbours, on
    /// one node as far as nodes divide into them. The system by itself lets two processes share a core while another
    /// idles, for as long as a layer takes.
    /// - Returns: [count], each not empty.
    package static func dealt(_ cores: [Topology.Core], to count: Int) -> [[Topology.Core]] {
        let size = max(1, cores.count / count)
        return (0..<count).map { index in
            (0..<size).map { cores[cores.count - 1 - (index * size + $0) % cores.count] }.reversed()
        }
    }

    /// Keeps the calling thread, and those that it starts, on some processors. A system that refuses is obeyed: it is
    /// for speed alone.
    package static func keepCaller(on processors: some Collection<Int>) {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: processors.count) { numbers in
            for (index, processor) in processors.enumerated() { numbers[index] = UInt32(processor) }
            _ = cohort_keep_caller(numbers.baseAddress, processors.count)
        }
    }
}
