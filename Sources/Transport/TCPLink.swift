internal import Foundation
internal import Synchronization
package import Wire

/// A link over a TCP connection, or over its like within one host.
package final class TCPLink: Link {
    /// The most bytes kept for a peer that does not take them: the largest frames of a prefill, several times over.
    package static let defaultQueueLimit = 512 << 20
    /// What a closing side reads away, so that the peer still gets the last frame instead of a reset.
    private static let discardByteCount = 64 << 10

    package let peer: String
    private let descriptor: Descriptor
    private let outbound: Mutex<Outbound>
    /// Held by the exchange that receives: the next one to hold the link waits until it is done.
    private let receiving = Mutex(())
    /// Only touched while `receiving` is locked.
    nonisolated(unsafe) private var inbound = Inbound()
    /// Kept as long as the link: payloads may lie in it.
    private let memory = Mutex<SharedMemory?>(nil)
    private let reason = Mutex<CloseReason?>(nil)
    private let isClosed = Atomic<Bool>(false)
    private let payloadLimit = Atomic<Int>(WireLimit.unauthenticatedPayload)
    private let hasQueued = Atomic<Bool>(false)
    private let framesIn = Atomic<UInt64>(0)
    private let bytesIn = Atomic<UInt64>(0)
    private let framesOut = Atomic<UInt64>(0)
    private let bytesOut = Atomic<UInt64>(0)

    /// Takes over a connected nonblocking socket.
    init(owning descriptor: consuming Descriptor, peer: String, queueLimit: Int = defaultQueueLimit) {
        SocketOptions.apply(to: descriptor.number)
        self.descriptor = descriptor
        self.peer = peer
        outbound = Mutex(Outbound(limit: queueLimit))
    }

    deinit {
        shutdown(descriptor.number, Int32(SHUT_WR))
        var scratch = [UInt8](repeating: 0, count: Self.discardByteCount)
        recv(descriptor.number, &scratch, scratch.count, Int32(MSG_DONTWAIT))
    }

    /// This side's own address, without the port; nil where peers on other hosts could not use it.
    package var localHost: String? {
        guard let address = SocketAddress(filledBy: { getsockname(descriptor.number, $0, $1) == 0 }),
            address.family != AF_UNIX
        else { return nil }
        return address.host
    }

    /// Whether something that was sent is under way and the peer's host has acknowledged nothing for `duration`. A
    /// host that is there acknowledges, also for a process that is stopped or takes nothing.
    package func isUnacknowledged(for duration: Duration) -> Bool {
        var info = tcp_info()
        var length = socklen_t(MemoryLayout<tcp_info>.size)
        guard getsockopt(descriptor.number, Int32(IPPROTO_TCP), TCP_INFO, &info, &length) == 0 else { return false }
        return info.tcpi_unacked > 0 && .milliseconds(Int64(info.tcpi_last_ack_recv)) >= duration
    }

    package var maximumPayload: Int {
        get { payloadLimit.load(ordering: .relaxed) }
        set { payloadLimit.store(newValue, ordering: .relaxed) }
    }

    package var counters: LinkCounters {
        var counters = LinkCounters()
        counters.bytesIn = bytesIn.load(ordering: .relaxed)
        counters.bytesOut = bytesOut.load(ordering: .relaxed)
        counters.framesIn = framesIn.load(ordering: .relaxed)
        counters.framesOut = framesOut.load(ordering: .relaxed)
        return counters
    }

    package var closeReason: CloseReason? {
        isClosed.load(ordering: .acquiring) ? reason.withLock { $0 } : nil
    }

    package func send(_ header: FrameHeader, _ segments: [UnsafeRawBufferPointer]) throws(TransportError) {
        precondition(
            segments.reduce(0) { $0 + $1.count } == Int(header.payloadLength), "the payload is not what the header says"
        )
        if let reason = closeReason { throw .closed(reason, place: peer) }
        try changeOutbound { (outbound) throws(Outbound.Failure) in
            try outbound.send(header, segments, to: descriptor.number)
        }
        framesOut.add(1, ordering: .relaxed)
        bytesOut.add(UInt64(FrameHeader.byteCount) + header.payloadLength, ordering: .relaxed)
    }

    package func share(_ memory: SharedMemory) {
        self.memory.withLock { shared in
            precondition(shared == nil, "a link shares one memory")
            shared = memory
        }
        outbound.withLock { $0.lane = LaneWriter(memory.outbound) }
        memory.inbound.open()
    }

    package func lend(byteCount: Int) -> UnsafeMutableRawPointer? {
        outbound.withLock { $0.lane?.lend(byteCount: byteCount) }
    }

    package func keepPayload() -> Bool { memory.withLock { $0?.inbound.keep() ?? false } }

    package func releasePayload() { memory.withLock { $0?.inbound.release() } }

    package func close(_ reason: CloseReason) {
        let isFirst = self.reason.withLock { stored in
            guard stored == nil else { return false }
            stored = reason
            return true
        }
        guard isFirst else { return }
        isClosed.store(true, ordering: .releasing)
        shutdown(descriptor.number, Int32(SHUT_RDWR))
    }
}

// What the exchange that holds the link does with it.
extension TCPLink {
    var pollNumber: Int32 { descriptor.number }

    /// True while output is left for the exchange to send.
    var hasQueuedOutput: Bool { hasQueued.load(ordering: .acquiring) }

    /// Sets what a send wakes when it leaves output queued; nil when no exchange holds the link.
    func attach(_ waker: Waker?) {
        outbound.withLock { $0.waker = waker }
    }

    /// Sends what the socket takes of the queue. An error shows in the next receive.
    func flush() {
        try? changeOutbound { (outbound) throws(Outbound.Failure) in
            try outbound.flush(to: descriptor.number)
        }
    }

    /// Delivers whole frames until the socket has no more, the handler returns false or the link closes.
    func receive(
        _ deliver: (FrameHeader, UnsafeRawBufferPointer) -> Bool
    ) -> (outcome: Inbound.Outcome, isInsideFrame: Bool) {
        receiving.withLock { _ in
            let outcome = inbound.receive(
                from: descriptor.number, limit: { maximumPayload }, lane: { memory.withLock { $0?.inbound } }
            ) { header, payload in
                framesIn.add(1, ordering: .relaxed)
                return deliver(header, payload)
            }
            bytesIn.store(inbound.bytesIn, ordering: .relaxed)
            return (outcome, inbound.isInsideFrame)
        }
    }

    private func changeOutbound(
        _ change: (inout Outbound) throws(Outbound.Failure) -> Void
    ) throws(TransportError) {
        do {
            try outbound.withLock { (outbound) throws(Outbound.Failure) in
                defer { hasQueued.store(outbound.queuedByteCount > 0, ordering: .releasing) }
                try change(&outbound)
            }
        } catch {
            switch error {
            case .congested(let byteCount):
                throw TransportError(
                    kind: .congested, what: "the peer has not taken the last \(byteCount) bytes", place: peer,
                    mend: "check that the process there still runs and that the network is up")
            case .system(let number): throw brokenPipe(number)
            }
        }
    }

    /// A reset leaves the link open: what the peer said last may still be here to read, and its end follows.
    private func brokenPipe(_ number: Int32) -> TransportError {
        if number == EPIPE || number == ECONNRESET { return .closed(.peerClosed, place: peer) }
        let error = TransportError.system("send", number, place: peer)
        close(.failed(error))
        return error
    }
}
