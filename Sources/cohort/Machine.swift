internal import Foundation
internal import Kernels

/// What this machine has.
enum Machine {
    /// Cores that this process may use. More threads would take turns at the same arithmetic.
    static var coreCount: Int { Topology().cores.count }

    /// Bytes of physical memory.
    static var memoryBytes: Int { Int(clamping: ProcessInfo.processInfo.physicalMemory) }

    /// Has the process's memory shared out among its NUMA nodes, if it runs on several. To be called before it starts
    /// threads.
    static func interleaveMemory() {
        let nodes = Topology().nodes
        if nodes.count > 1 { MemoryPolicy.interleave(nodes) }
    }

    /// Keeps the process on some processors, and its memory near them. To be called before it starts threads.
    static func keepProcess(on processors: [Int]) {
        Processors.keepCaller(on: processors)
        if Topology().nodes.count == 1 { MemoryPolicy.stopInterleaving() }
    }

    static var hostName: String { ProcessInfo.processInfo.hostName }
}
