internal import Foundation

/// What this machine has.
enum Machine {
    /// Cores that this process may use.
    static var coreCount: Int {
        var set = cpu_set_t()
        guard sched_getaffinity(0, MemoryLayout<cpu_set_t>.size, &set) == 0 else {
            return ProcessInfo.processInfo.activeProcessorCount
        }
        return max(1, withUnsafeBytes(of: set) { $0.reduce(0) { $0 + $1.nonzeroBitCount } })
    }

    /// Bytes of physical memory.
    static var memoryBytes: Int { Int(clamping: ProcessInfo.processInfo.physicalMemory) }

    static var hostName: String { ProcessInfo.processInfo.hostName }
}
