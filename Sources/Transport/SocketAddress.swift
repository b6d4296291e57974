internal import Foundation

/// A numeric IPv4 or IPv6 address with its port, or a name that only this host's processes see ("@" and up to 100
/// characters, gone with its listener), as the socket calls take it.
struct SocketAddress {
    private static let longestName = 100

    private var storage: sockaddr_storage
    private let length: socklen_t
    let family: Int32

    /// The addresses of `host`, in the resolver's order; an empty host stands for all of this host's addresses when
    /// `isPassive`, for the loopback otherwise.
    static func resolve(host: String, port: Int, isPassive: Bool) throws(TransportError) -> [SocketAddress] {
        let place = place(host: host, port: port)
        if host.hasPrefix("@") {
            guard host.utf8.count <= longestName else {
                throw TransportError(
                    kind: .unresolved, what: "the name has \(host.utf8.count) bytes", place: place,
                    mend: "give at most \(longestName)")
            }
            return [SocketAddress(name: host)]
        }
        guard (0...65535).contains(port) else {
            throw TransportError(
                kind: .unresolved, what: "\(port) is no port", place: place, mend: "name one from 1 to 65535")
        }
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV | (isPassive ? AI_PASSIVE : 0)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host.isEmpty ? nil : host, String(port), &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        guard status == 0 else {
            throw TransportError(
                kind: .unresolved, what: "the host name cannot be resolved: \(String(cString: gai_strerror(status)))",
                place: place, mend: "check the name, or give an address")
        }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next {
            addresses.append(SocketAddress(entry.pointee))
            next = entry.pointee.ai_next
        }
        return addresses
    }

    /// A zero stands for the "@" in the address itself, and says that no file has that name.
    private init(name: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: [0] + name.utf8.dropFirst()) }
        storage = sockaddr_storage()
        length = socklen_t(MemoryLayout<sa_family_t>.size + name.utf8.count)
        family = AF_UNIX
        memcpy(&storage, &address, Int(length))
    }

    private init(_ entry: addrinfo) {
        storage = sockaddr_storage()
        length = entry.ai_addrlen
        family = entry.ai_family
        memcpy(&storage, entry.ai_addr, Int(min(entry.ai_addrlen, socklen_t(MemoryLayout<sockaddr_storage>.size))))
    }

    /// Calls `fill` (accept, getsockname) with room for any address. Nil when it fails.
    init?(filledBy fill: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Bool) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isFilled = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { fill($0, &length) }
        }
        guard isFilled else { return nil }
        self.storage = storage
        self.length = length
        family = Int32(storage.ss_family)
    }

    func withPointer<Value>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    /// "127.0.0.1:8000" or "[::1]:8000".
    var text: String {
        let (host, port) = numeric
        return Self.place(host: host, port: port)
    }

    var host: String { numeric.host }

    var port: Int { numeric.port }

    private var numeric: (host: String, port: Int) {
        if family == AF_UNIX { return (name, 0) }
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var service = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        let status = withPointer { pointer, length in
            getnameinfo(
                pointer, length, &host, socklen_t(host.count), &service, socklen_t(service.count),
                NI_NUMERICHOST | NI_NUMERICSERV)
        }
        guard status == 0 else { return ("unknown", 0) }
        return (Self.text(host), Int(Self.text(service)) ?? 0)
    }

    /// A peer that dialled has none.
    private var name: String {
        let count = Int(length) - MemoryLayout<sa_family_t>.size
        guard count > 1 else { return "@this-host" }
        return withPointer { pointer, _ in
            let bytes = UnsafeRawBufferPointer(
                start: UnsafeRawPointer(pointer) + MemoryLayout<sa_family_t>.size, count: count)
            return "@" + String(decoding: bytes.dropFirst(), as: UTF8.self)
        }
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static func place(host: String, port: Int) -> String {
        if host.hasPrefix("@") { return host }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host.isEmpty ? "*" : host):\(port)"
    }
}
