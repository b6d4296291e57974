internal import Foundation
internal import Kernels

/// What this machine has for the process, which a container or a service may be limited in.
enum Machine {
    private static let group = ControlGroup()

    /// What a process of several on this machine has of it.
    struct Part {
        let threads: Int
        /// To stay on; nil: any.
        let processors: [Int]?
    }

    /// Cores that threads are for: more would take turns at the same arithmetic; and where time is limited, all would
    /// stand still for the rest of a period once it is used up.
    static var coreCount: Int { min(Topology().cores.count, group.processors ?? .max) }

    /// Deals the machine to processes. Where time is limited they are kept nowhere: the cores are others' as well.
    static func parts(for count: Int) -> [Part] {
        let (cores, usable) = (Topology().cores, coreCount)
        guard usable == cores.count else {
            return (0..<count).map { _ in Part(threads: max(1, usable / count), processors: nil) }
        }
        return Processors.dealt(cores, to: count).map {
            Part(threads: $0.count, processors: $0.flatMap(\.processors))
        }
    }

    /// Bytes.
    static var memoryBytes: Int {
        min(Int(clamping: ProcessInfo.processInfo.physicalMemory), group.memoryBytes ?? .max)
    }

    /// Has the process's memory on the nodes that its processors are on. To be called before it starts threads.
    static func fitMemory() { MemoryPolicy.fit(Topology().nodes) }

    /// Keeps the process on some processors, and its memory near them. To be called before it starts threads.
    static func keepProcess(on processors: [Int]) {
        Processors.keepCaller(on: processors)
        fitMemory()
    }

    static var hostName: String { ProcessInfo.processInfo.hostName }
}
