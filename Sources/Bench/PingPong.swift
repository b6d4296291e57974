internal import Foundation

/// Plain blocking TCP over loopback, the least that an exchange of some bytes can cost: all peers get their bytes, then
/// all answer.
package final class PingPong {
    /// What one peer gets, and what it answers.
    package struct Sizes: Sendable, Equatable {
        package let out: Int
        package let back: Int

        package init(out: Int, back: Int) {
            self.out = out
            self.back = back
        }
    }

    private let sockets: [Int32]
    private let sizes: [Sizes]
    private var buffer: [UInt8]

    /// Starts a thread for each peer.
    /// - Throws: `PingPongError` when the system gives no sockets.
    package init(_ sizes: [Sizes]) throws {
        self.sizes = sizes
        buffer = Array(repeating: 7, count: sizes.map { max($0.out, $0.back) }.max() ?? 0)
        sockets = try sizes.map { size in
            let (own, peer) = try Self.connectedPair()
            Thread.detachNewThread { Self.serve(peer, size) }
            return own
        }
    }

    /// Peers end with their connections.
    deinit { for socket in sockets { close(socket) } }

    /// - Throws: `PingPongError` when a connection breaks.
    package func round() throws {
        for (socket, size) in zip(sockets, sizes) {
            try buffer.withUnsafeBytes { try Self.send(socket, $0, size.out) }
        }
        for (socket, size) in zip(sockets, sizes) {
            try buffer.withUnsafeMutableBytes { try Self.receive(socket, $0, size.back) }
        }
    }

    private static func serve(_ socket: Int32, _ size: Sizes) {
        var buffer = [UInt8](repeating: 9, count: max(size.out, size.back))
        while (try? buffer.withUnsafeMutableBytes { try receive(socket, $0, size.out) }) != nil,
            (try? buffer.withUnsafeBytes { try send(socket, $0, size.back) }) != nil
        {}
        close(socket)
    }

    private static func send(_ socket: Int32, _ bytes: UnsafeRawBufferPointer, _ count: Int) throws {
        var done = 0
        while done < count {
            let step = Foundation.send(
                socket, bytes.baseAddress.map { $0 + done }, count - done, Int32(MSG_NOSIGNAL))
            guard step > 0 else { throw PingPongError(call: "send", number: errno) }
            done += step
        }
    }

    private static func receive(_ socket: Int32, _ bytes: UnsafeMutableRawBufferPointer, _ count: Int) throws {
        var done = 0
        while done < count {
            let step = recv(socket, bytes.baseAddress.map { $0 + done }, count - done, 0)
            guard step > 0 else { throw PingPongError(call: "recv", number: step == 0 ? ECONNRESET : errno) }
            done += step
        }
    }

    private static func connectedPair() throws -> (Int32, Int32) {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        func check(_ result: Int32, _ call: String) throws -> Int32 {
            guard result >= 0 else { throw PingPongError(call: call, number: errno) }
            return result
        }
        let listener = try check(socket(AF_INET, type, 0), "socket")
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let own = try check(socket(AF_INET, type, 0), "socket")
        try withUnsafeMutablePointer(to: &address) {
            try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = try check(bind(listener, address, length), "bind")
                _ = try check(listen(listener, 1), "listen")
                _ = try check(getsockname(listener, address, &length), "getsockname")
                _ = try check(connect(own, address, length), "connect")
            }
        }
        let peer = try check(accept(listener, nil, nil), "accept")
        for end in [own, peer] {
            var yes: Int32 = 1
            setsockopt(end, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        }
        return (own, peer)
    }
}
