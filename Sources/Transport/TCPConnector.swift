internal import Foundation
package import Wire

extension TCPLink {
    /// Connects to the first address of `host`, or to the listener of that name ("@..."), that answers; an address
    /// that says nothing leaves the others their share of the time. Blocks until `deadline` at most, apart from the
    /// resolver, which has limits of its own (resolv.conf).
    /// - Parameter queueLimit: the most bytes to keep for a peer that does not take them.
    /// - Throws: `.unresolved`, `.refused`, `.unreachable`, `.timedOut` or `.system`, for the last address tried.
    package static func connect(
        host: String, port: Int, deadline: Instant, queueLimit: Int = defaultQueueLimit,
        time: any TimeSource = MonotonicTime()
    ) throws(TransportError) -> TCPLink {
        let place = SocketAddress.place(host: host, port: port)
        var failure = TransportError(
            kind: .unresolved, what: "the host name has no address", place: place, mend: "check the name")
        let addresses = try SocketAddress.resolve(host: host, port: port, isPassive: false)
        for (index, address) in addresses.enumerated() {
            let now = time.now()
            let share = deadline.nanoseconds(since: now) / UInt64(addresses.count - index)
            do {
                let descriptor = try connect(
                    to: address, place: place, deadline: now + .nanoseconds(Int64(clamping: share)), time: time)
                return TCPLink(owning: descriptor, peer: address.text, queueLimit: queueLimit)
            } catch {
                failure = error
            }
        }
        throw failure
    }

    private static func connect(
        to address: SocketAddress, place: String, deadline: Instant, time: any TimeSource
    ) throws(TransportError) -> Descriptor {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let number = socket(address.family, type, 0)
        guard number >= 0 else { throw .system("socket", errno, place: place) }
        let descriptor = Descriptor(owning: number)
        if address.withPointer({ Foundation.connect(number, $0, $1) }) == 0 { return descriptor }
        let started = errno
        guard started == EINPROGRESS || started == EINTR else { throw failure(started, place: place) }
        guard waitForOutput(number, until: deadline, time: time) else { throw failure(ETIMEDOUT, place: place) }
        var status: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(number, SOL_SOCKET, SO_ERROR, &status, &length)
        guard status == 0 else { throw failure(status, place: place) }
        return descriptor
    }

    private static func waitForOutput(_ number: Int32, until deadline: Instant, time: any TimeSource) -> Bool {
        while true {
            var entry = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
            let left = deadline.nanoseconds(since: time.now())
            if poll(&entry, 1, Int32(clamping: left / 1_000_000)) > 0 { return true }
            if left == 0 { return false }
        }
    }

    private static func failure(_ number: Int32, place: String) -> TransportError {
        switch number {
        case ECONNREFUSED:
            TransportError(
                kind: .refused, what: "nothing listens there", place: place,
                mend: "start the process that is to listen there, and check host and port")
        case ETIMEDOUT:
            TransportError(
                kind: .timedOut, what: "no answer in time", place: place,
                mend: "check the address, the route and the firewall")
        case EHOSTUNREACH, ENETUNREACH:
            TransportError(
                kind: .unreachable, what: SystemCall.text(number), place: place, mend: "check the address and the route"
            )
        default: .system("connect", number, place: place)
        }
    }
}
