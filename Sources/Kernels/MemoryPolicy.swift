internal import CKernels

/// Which node of memory (NUMA) the system takes a page from when it is first touched, or read from a file. Holds for
/// the calling thread and those that it starts afterwards. What somebody chose otherwise (numactl) stays, and a system
/// that refuses is obeyed: it is for speed alone.
package enum MemoryPolicy {
    /// From each of `nodes` by turns: threads on all of them then read at the speed of all.
    package static func interleave(_ nodes: [Int]) {
        let numbers = nodes.map(UInt32.init)
        numbers.withUnsafeBufferPointer { cohort_interleave_pages($0.baseAddress, $0.count) }
    }

    /// From the node of the processor that the thread is on.
    package static func stopInterleaving() { cohort_stop_interleaving_pages() }
}
