internal import CSockets
internal import Foundation

/// A listening TCP socket. An exchange accepts from it.
package final class TCPListener: Sendable {
    private static let backlog: Int32 = 512

    private let descriptor: Descriptor
    /// The port listened on, also when 0 was asked for.
    package let port: Int
    /// The address listened on, for messages.
    package let address: String
    private let queueLimit: Int

    /// Listens on the first address of `host` that allows it; an empty host stands for all addresses of this host,
    /// of both families, and one that begins with "@" is a name within this host, which has no port. Port 0 lets the
    /// system choose.
    /// - Parameter queueLimit: the most bytes to keep for a peer that does not take them.
    package init(host: String, port: Int, queueLimit: Int = TCPLink.defaultQueueLimit) throws(TransportError) {
        self.queueLimit = queueLimit
        var failure = TransportError(
            kind: .unresolved, what: "the host name has no address",
            place: SocketAddress.place(host: host, port: port), mend: "check the name")
        let addresses = try SocketAddress.resolve(host: host, port: port, isPassive: true)
        let preferred = host.isEmpty ? addresses.sorted { $0.family == AF_INET6 && $1.family != AF_INET6 } : addresses
        for candidate in preferred {
            do {
                let descriptor = try Self.listen(on: candidate)
                let number = descriptor.number
                let bound = SocketAddress { getsockname(number, $0, $1) == 0 } ?? candidate
                self.descriptor = descriptor
                self.port = bound.port
                self.address = bound.text
                return
            } catch {
                failure = error
            }
        }
        throw failure
    }

    private static func listen(on address: SocketAddress) throws(TransportError) -> Descriptor {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let number = socket(address.family, type, 0)
        guard number >= 0 else { throw .system("socket", errno, place: address.text) }
        let descriptor = Descriptor(owning: number)
        SocketOptions.set(number, SOL_SOCKET, SO_REUSEADDR, 1)
        if address.family == AF_INET6 { SocketOptions.set(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
        guard address.withPointer({ bind(number, $0, $1) }) == 0, Foundation.listen(number, backlog) == 0 else {
            throw failure(errno, place: address.text)
        }
        return descriptor
    }

    private static func failure(_ number: Int32, place: String) -> TransportError {
        switch number {
        case EADDRINUSE:
            TransportError(
                kind: .addressInUse, what: "another process listens there", place: place,
                mend: "stop it or choose another port")
        case EADDRNOTAVAIL:
            TransportError(
                kind: .unreachable, what: "this host does not have that address", place: place,
                mend: "listen on one of its own addresses, or on all of them")
        default: .system("listen", number, place: place)
        }
    }

    var pollNumber: Int32 { descriptor.number }

    enum Accepted {
        case link(TCPLink)
        /// Nobody waits.
        case none
        /// The host has no descriptors or memory left for now.
        case exhausted
    }

    func accept() -> Accepted {
        while true {
            var number: Int32 = -1
            var failure: Int32 = 0
            let address = SocketAddress { pointer, length in
                number = cohort_accept(descriptor.number, pointer, length)
                failure = errno
                return number >= 0
            }
            if let address {
                return .link(
                    TCPLink(owning: Descriptor(owning: number), peer: address.text, queueLimit: queueLimit))
            }
            switch failure {
            case EAGAIN: return .none
            case EINTR, ECONNABORTED, EPROTO: continue
            default: return .exhausted
            }
        }
    }
}
