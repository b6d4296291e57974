internal import Foundation
internal import Kernels

/// What this machine has for the process, which a container or a service may be limited in.
enum Machine {
    private static let group = ControlGroup()

    /// What threads are spread over. More threads would take turns at the same arithmetic; and where time is limited,
    /// all of them would stand still for the rest of a period once it is used up.
    static var cores: [Topology.Core] { Array(Topology().cores.prefix(group.processors ?? .max)) }

    static var coreCount: Int { cores.count }

    /// Bytes of physical memory.
    static var memoryBytes: Int {
        min(Int(clamping: ProcessInfo.processInfo.physicalMemory), group.memoryBytes ?? .max)
    }

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
