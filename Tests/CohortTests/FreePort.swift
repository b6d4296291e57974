import Foundation
import Synchronization

/// A TCP port of loopback that nothing listens on, and plain connections to one.
enum FreePort {
    /// Where the system takes no ports for connections, so that none of these is gone before its test listens.
    private static let range = 10_240..<32_768
    private static let next = Atomic(Int(getpid()) * 61)

    /// Another one each time.
    static func choose() throws -> Int {
        for _ in range {
            let port = range.lowerBound + next.add(1, ordering: .relaxed).oldValue % range.count
            if isFree(port) { return port }
        }
        throw NotInTime(description: "no free port in \(range)")
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var address = loopback(port)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
