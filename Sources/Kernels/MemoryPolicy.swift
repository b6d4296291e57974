internal import CKernels
internal import Synchronization

/// Which node of memory (NUMA) the system takes a page from when it is first touched, or read from a file: one near the
/// thread's processor, if nobody says otherwise. What is set here holds for the calling thread and those that it starts
/// afterwards. A policy that somebody else has chosen (numactl) stays, and a system that refuses is obeyed: it is for
/// speed alone.
package enum MemoryPolicy {
    /// The nodes that this process has pages come from by turns; empty if it does not.
    private static let interleaved = Mutex<[Int]>([])

    /// For threads on processors of these nodes: takes pages from each by turns if they are several, so that all read
    /// at the speed of all.
    package static func fit(_ nodes: [Int]) {
        interleaved.withLock { interleaved in
            if !interleaved.isEmpty { cohort_reset_page_policy() }
            let numbers = nodes.map(UInt32.init)
            interleaved = nodes.count > 1 && cohort_interleave_pages(numbers, numbers.count) ? nodes : []
        }
    }

    /// Undoes `fit` while `body` runs, which may start a process: that finds its own.
    package static func withoutFitting<Result>(_ body: () throws -> Result) rethrows -> Result {
        let nodes = interleaved.withLock { $0 }
        fit([])
        defer { fit(nodes) }
        return try body()
    }
}
