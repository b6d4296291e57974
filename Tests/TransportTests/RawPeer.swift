import Foundation
import Transport
import Wire

/// A plain blocking socket that speaks no protocol: the independent other side of the tests.
final class RawPeer: @unchecked Sendable {
    private let number: Int32

    init(port: Int) throws {
        number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw POSIXError(.ECONNREFUSED) }
    }

    deinit {
        close(number)
    }

    /// Blocks until the system has taken all bytes. False when the other side closed.
    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                send(number, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }

    /// Up to `count` bytes; fewer when the other side closed.
    func read(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var got = 0
        while got < count {
            let step = bytes.withUnsafeMutableBytes { recv(number, $0.baseAddress! + got, count - got, 0) }
            if step <= 0 { break }
            got += step
        }
        return Array(bytes[..<got])
    }

    /// Ends the connection with a reset instead of an orderly close.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(number, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        shutdown(number, Int32(SHUT_RD))
    }
}

/// A frame as its bytes on the wire.
func frameBytes(_ kind: FrameKind = .dispatch, flight: UInt64 = 0, payload: [UInt8]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount)
    let header = FrameHeader(kind: kind, flight: flight, payloadLength: payload.count)
    bytes.withUnsafeMutableBytes { header.encode(into: $0.baseAddress!) }
    return bytes + payload
}
