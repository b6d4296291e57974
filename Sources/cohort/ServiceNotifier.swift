internal import Cluster
internal import Foundation
internal import Worker

/// Tells systemd how far a service is, by its notification socket (sd_notify(3)); does nothing outside systemd.
struct ServiceNotifier: Sendable {
    private let path = ProcessInfo.processInfo.environment["NOTIFY_SOCKET"]

    func notify(_ stage: WorkerService.Stage) {
        switch stage {
        case .connecting: notify(status: "dialling the coordinator")
        case .loading: notify(status: "loading experts")
        case .ready(let slots, let bytes): notifyReady(status: "holds \(slots) experts, \(Amount.bytes(bytes))")
        }
    }

    func notify(status: String) { send("STATUS=\(status)") }

    func notifyReady(status: String) { send("READY=1\nSTATUS=\(status)") }

    func notifyStopping(status: String) { send("STOPPING=1\nSTATUS=\(status)") }

    private func send(_ message: String) {
        guard let path, !path.isEmpty else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        // "@" stands for the abstract namespace, whose names begin with a zero byte.
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(descriptor, message, message.utf8.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
    }
}
