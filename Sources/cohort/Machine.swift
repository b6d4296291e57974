internal import Foundation
internal import Kernels

/// What this machine has.
enum Machine {
    /// Cores that this process may use. More threads would take turns at the same arithmetic.
    static var coreCount: Int { Topology().cores.count }

    /// Bytes of physical memory.
    static var memoryBytes: Int { Int(clamping: ProcessInfo.processInfo.physicalMemory) }

    static var hostName: String { ProcessInfo.processInfo.hostName }
}
