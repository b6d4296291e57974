internal import Foundation

/// Bytes of this process that stand in memory, mapped files included.
package enum ResidentMemory {
    /// 0 where the system does not tell.
    package static var byteCount: Int {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return 0 }
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        let kilobytes = line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) }
        return (kilobytes ?? 0) * 1024
    }
}
