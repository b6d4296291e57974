internal import Foundation

/// The options of every connected socket. The sizes of its buffers stay with the kernel, which grows them as the
/// connection's speed asks for; a size set by hand would turn that off and is cut to the host's limit besides.
enum SocketOptions {
    /// A silent peer is asked after 10 s, then every 5 s, and is given up after 4 unanswered questions.
    private static let keepaliveIdleSeconds: Int32 = 10
    private static let keepaliveIntervalSeconds: Int32 = 5
    private static let keepaliveCount: Int32 = 4
    /// Bytes that a peer's host has not acknowledged for so long mean that it is gone.
    private static let unacknowledgedMilliseconds: Int32 = 30_000

    static func apply(to descriptor: Int32) {
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
        set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, keepaliveIdleSeconds)
        set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPINTVL, keepaliveIntervalSeconds)
        set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPCNT, keepaliveCount)
        set(descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, unacknowledgedMilliseconds)
    }

    /// An option that the system does not know leaves a working socket, so a failure is not looked at.
    static func set(_ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}
