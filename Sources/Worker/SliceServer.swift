internal import Cluster
internal import Experts
internal import Foundation
internal import Logging
internal import Synchronization
internal import Transport
internal import Wire

/// Gives slices of the experts that this worker holds to other workers of the cluster, on a thread of its own. Who does
/// not prove the cluster secret, or says what it should not, is sent away with one log line; who comes when all places
/// are taken is told so, and is worth none.
///
/// What the thread alone touches is not locked, which is why the class may be shared.
final class SliceServer: Sendable {
    private enum Guest {
        case greeting(any Link, CoordinatorHandshake)
        /// Reads parts of the image.
        case served(any Link, SliceImage?, lastHeard: Instant)
    }

    let port: Int
    private let secret: ClusterSecret
    private let fingerprint: [UInt8]
    private let exchange: TCPExchange
    private let time: any TimeSource
    private let logger: Logger
    private let shard: Mutex<ExpertShard>
    private let isClosed = Atomic(false)
    private nonisolated(unsafe) var guests: [ObjectIdentifier: Guest] = [:]

    /// Listens at once.
    /// - Parameters:
    ///   - host: the address of this host that others reach.
    ///   - fingerprint: of the model; whoever has another is not served.
    init(
        host: String, shard: ExpertShard, fingerprint: [UInt8], secret: ClusterSecret, time: any TimeSource,
        logger: Logger
    ) throws(TransportError) {
        let listener = try TCPListener(host: host, port: 0, queueLimit: Self.queueLimit)
        var limits = TCPExchange.Limits()
        limits.linkCount = Self.mostGuests + Self.mostTransfers + 1
        limits.frameCompletion = Self.silence
        exchange = try TCPExchange(listener: listener, limits: limits, time: time)
        port = listener.port
        self.shard = Mutex(shard)
        self.fingerprint = fingerprint
        self.secret = secret
        self.time = time
        self.logger = logger
        Thread.detachNewThread { [self] in work() }
    }

    /// What may be fetched from now on. A slice that is under way is given to its end all the same.
    func publish(_ shard: ExpertShard) { self.shard.withLock { $0 = shard } }

    /// Ends the thread and all transfers.
    func close() {
        isClosed.store(true, ordering: .releasing)
        exchange.wake()
    }

    private func work() {
        setpriority(Int32(PRIO_PROCESS.rawValue), 0, SlotFiller.niceness)
        while !isClosed.load(ordering: .acquiring) {
            _ = exchange.wait(until: time.now() + Self.tick, spin: .zero) { handle($0) }
            sendAwayTheSilent()
        }
        for guest in guests.values { link(of: guest).close(.local("the worker ends")) }
    }

    private func handle(_ event: ExchangeEvent) {
        switch event {
        case .accepted(let link): greet(link)
        case .closed(let link, let reason): forget(link, reason)
        case .frame(let link, let header, let payload):
            do {
                try receive(link, header, try ControlMessage(kind: header.kind, payload: payload))
            } catch {
                sendAway(link, "\(error)")
            }
        }
    }

    /// When too many wait for their handshake, the oldest goes: a worker needs an instant for its own.
    private func greet(_ link: any Link) {
        let greeting = guests.values.compactMap { guest -> (link: any Link, deadline: Instant)? in
            if case .greeting(let link, let handshake) = guest { (link, handshake.deadline) } else { nil }
        }
        if greeting.count >= Self.mostGuests, let oldest = greeting.min(by: { $0.deadline < $1.deadline }) {
            sendAway(oldest.link, "\(Self.mostGuests) newer connections wait for their handshake")
        }
        guests[ObjectIdentifier(link)] = .greeting(
            link,
            CoordinatorHandshake(secret: secret, purpose: .transfer, deadline: time.now() + Self.handshakeLimit))
    }

    private func receive(_ link: any Link, _ header: FrameHeader, _ message: ControlMessage) throws {
        switch guests[ObjectIdentifier(link)] {
        case .greeting(_, let handshake): try shakeHands(link, handshake, message)
        case .served(_, let image, _): try serve(link, image, header, message)
        case nil: break
        }
    }

    private func shakeHands(_ link: any Link, _ handshake: CoordinatorHandshake, _ message: ControlMessage) throws {
        var handshake = handshake
        switch try handshake.receive(message, at: time.now()) {
        case .send(let answer):
            guests[ObjectIdentifier(link)] = .greeting(link, handshake)
            try link.send(answer)
        case .accept(let description):
            guard description.modelFingerprint == fingerprint else {
                return try refuse(
                    link, "it holds another model; copy the same files to every host",
                    status: FailureReport.Status.badInput)
            }
            let transfers = guests.values.count { if case .served = $0 { true } else { false } }
            guard transfers < Self.mostTransfers else {
                return try refuse(link, "it serves \(transfers) others", status: FailureReport.Status.busy)
            }
            guests[ObjectIdentifier(link)] = .served(link, nil, lastHeard: time.now())
            try link.send(.ready(ReadyReport(loadedBytes: 0, residentBytes: 0, expertSlots: 0)))
        }
    }

    /// The peer is told why, and logs what comes of it: no line is due here.
    private func refuse(_ link: any Link, _ reason: String, status: Int) throws {
        try link.send(.failure(FailureReport(message: reason, status: status)))
        guests[ObjectIdentifier(link)] = nil
        link.close(.local(reason))
    }

    private func serve(
        _ link: any Link, _ image: SliceImage?, _ header: FrameHeader, _ message: ControlMessage
    ) throws {
        var image = image
        switch message {
        case .fetch(let request):
            image = self.image(of: request)
            if let image {
                try link.send(.slice(image.description), flight: header.flight)
            } else {
                let what =
                    "slice \(request.rank) of expert \(request.expert) of layer \(request.layer) is not held here; "
                    + "fetch it from a worker that holds it now"
                try link.send(
                    .failure(FailureReport(message: what, status: FailureReport.Status.failed)), flight: header.flight)
            }
        case .read(let range):
            guard let image else { throw HandshakeError.unexpected(.read, expected: .fetch) }
            guard 1...WireLimit.chunkPayload ~= range.byteCount, range.offset <= image.byteCount,
                range.byteCount <= image.byteCount - range.offset
            else { throw TransferError.badRead(peer: link.peer, range, sliceByteCount: image.byteCount) }
            let chunk = FrameHeader(kind: .chunk, flight: header.flight, payloadLength: range.byteCount)
            try image.withSegments(of: range.offset..<range.offset + range.byteCount) { try link.send(chunk, $0) }
        default: throw HandshakeError.unexpected(message.kind, expected: .fetch)
        }
        guests[ObjectIdentifier(link)] = .served(link, image, lastHeard: time.now())
    }

    /// nil when the slice is not held, or not in a form that can be sent.
    private func image(of request: SliceRequest) -> SliceImage? {
        let shard = shard.withLock { $0 }
        guard request.tensorParallelSize == shard.tensorParallelSize, request.rank < shard.tensorParallelSize else {
            return nil
        }
        let slice = request.expert * shard.tensorParallelSize + request.rank
        guard shard.holds(slice, layer: request.layer) else { return nil }
        return SliceImage(shard.held(slice, layer: request.layer))
    }

    private func forget(_ link: any Link, _ reason: CloseReason) {
        switch guests.removeValue(forKey: ObjectIdentifier(link)) {
        case .greeting: log(link, "it had not proved the cluster secret: \(reason)")
        case .served where reason != .peerClosed: log(link, reason.description)
        case .served, nil: break
        }
    }

    /// Closes a guest's link, with one log line.
    private func sendAway(_ link: any Link, _ reason: String) {
        guests[ObjectIdentifier(link)] = nil
        link.close(.local(reason))
        log(link, reason)
    }

    private func log(_ link: any Link, _ reason: String) {
        logger.warning("connection for experts closed", metadata: ["peer": "\(link.peer)", "reason": "\(reason)"])
    }

    private func sendAwayTheSilent() {
        let now = time.now()
        for guest in guests.values {
            switch guest {
            case .greeting(let link, let handshake) where now >= handshake.deadline:
                sendAway(link, "the handshake took longer than \(Self.handshakeLimit)")
            case .served(let link, _, let lastHeard) where now >= lastHeard + Self.silence:
                sendAway(link, "it asked for nothing for \(Self.silence)")
            default: break
            }
        }
    }

    private func link(of guest: Guest) -> any Link {
        switch guest {
        case .greeting(let link, _), .served(let link, _, _): link
        }
    }

    /// Transfers at once: more would not be faster, and each takes memory for what is under way.
    private static let mostTransfers = 8
    /// Connections that have not proved the secret, at once.
    private static let mostGuests = 16
    private static let handshakeLimit = Duration.seconds(10)
    private static let silence = Duration.seconds(20)
    private static let tick = Duration.seconds(1)
    /// The chunks that a reader may ask for ahead, and as many again.
    private static let queueLimit = 2 * SliceFetcher.window * (WireLimit.chunkPayload + FrameHeader.byteCount)
}
