package import Logging
internal import Synchronization
package import Transport
package import Wire

/// The coordinator's door: accepts connections, lets in who proves the cluster secret and has a seat, hands out the
/// assignments and waits until each worker holds its experts. Whoever else comes is sent away with one log line.
///
/// One thread at a time calls `fill` and `guardDoor`; `close` is for any, which is why the class may be shared.
package final class Admission: Sendable {
    package struct Limits: Sendable {
        /// A peer that has not proved the secret by then is sent away.
        package var handshake = Duration.seconds(10)
        /// A worker that loads says how far it is more often than this.
        package var silence = Duration.seconds(120)
        /// Connections that have not proved the secret, at once.
        package var guests = 64
        /// Whether all workers are processes of this user on this host, and may share memory with this one.
        package var sharesMemory = false

        package init() {}
    }

    private enum Guest {
        case greeting(any Link, CoordinatorHandshake)
        case loading(any Link, seat: Int, WorkerDescription, lastHeard: Instant)
        /// Holds its experts and waits for the others.
        case ready(any Link, seat: Int)
        /// Comes to a cluster that serves: opens its checkpoint, and gets its experts later.
        case joining(any Link, WorkerSeat, WorkerDescription, lastHeard: Instant)
    }

    private enum Place {
        case empty(lastRefusal: String?)
        case loading(LoadProgress)
        case ready(ReadyWorker)
    }

    private let seats: [WorkerSeat]
    private let secret: ClusterSecret
    private let exchange: any Exchange
    private let time: any TimeSource
    private let limits: Limits
    private let arrivals: Arrivals
    private let logger: Logger
    private nonisolated(unsafe) var places: [Place]
    private nonisolated(unsafe) var guests: [ObjectIdentifier: Guest] = [:]
    /// What workers are told that come once the cluster serves, without slots.
    private let welcome: Assignment?
    /// The links of workers that were handed over, by name; nil before the cluster is complete.
    private nonisolated(unsafe) var members: [String: any Link]?
    private let isClosed = Atomic(false)

    /// - Parameters:
    ///   - exchange: listens where the workers dial.
    ///   - arrivals: gets the workers that come after `fill`, without experts.
    ///   - welcome: what workers are told that have no seat; nil: they are sent away.
    package init(
        seats: [WorkerSeat], secret: ClusterSecret, exchange: any Exchange, arrivals: Arrivals,
        welcome: Assignment? = nil, time: any TimeSource, limits: Limits = Limits(), logger: Logger
    ) {
        self.welcome = welcome
        self.arrivals = arrivals
        self.seats = seats
        self.secret = secret
        self.exchange = exchange
        self.time = time
        self.limits = limits
        self.logger = logger
        places = Array(repeating: .empty(lastRefusal: nil), count: seats.count)
    }

    /// Waits until every seat is taken by a worker that is ready.
    /// - Parameters:
    ///   - check: called several times a second; what it throws ends the wait.
    ///   - progress: bytes loaded so far and in all.
    /// - Throws: `AdmissionError` when the deadline passes first; it names who is missing.
    package func fill(
        until deadline: Instant, check: () throws -> Void = {}, progress: (Int, Int) -> Void = { _, _ in }
    ) throws -> [ReadyWorker] {
        while true {
            let ready = places.compactMap { if case .ready(let worker) = $0 { worker } else { nil } }
            guard ready.count < seats.count else {
                members = Dictionary(uniqueKeysWithValues: ready.map { ($0.seat.name, $0.link) })
                ready.forEach(release)
                return ready
            }
            try check()
            guard time.now() < deadline else { throw AdmissionError(missing: missing) }
            turn(until: min(deadline, time.now() + Self.tick))
            progress(loadedBytes, seats.reduce(0) { $0 + $1.weightBytes })
        }
    }

    /// Names of the seats that nobody has taken.
    package var absent: [String] {
        zip(seats, places).compactMap { if case .empty = $1 { $0.name } else { nil } }
    }

    /// Lets further workers in, lost ones that come back too, and sends strangers away, until `close`; on the calling
    /// thread.
    package func guardDoor() {
        while !isClosed.load(ordering: .acquiring) { turn(until: time.now() + Self.idleTick) }
    }

    /// Ends `guardDoor`; for any thread.
    package func close() {
        isClosed.store(true, ordering: .releasing)
        exchange.wake()
    }

    private func turn(until deadline: Instant) {
        _ = exchange.wait(until: deadline, spin: .zero) { handle($0) }
        sendAwayTheSilent()
    }

    private func handle(_ event: ExchangeEvent) {
        switch event {
        case .accepted(let link): greet(link)
        case .frame(let link, let header, let payload): receive(link, header, payload)
        case .closed(let link, let reason): forget(link, reason)
        }
    }

    /// When too many wait for their handshake, the oldest goes: a worker needs an instant for its own, and would be
    /// locked out by a crowd of the silent if the newest had to go.
    private func greet(_ link: any Link) {
        let greeting = guests.values.compactMap { guest -> (link: any Link, deadline: Instant)? in
            if case .greeting(let link, let handshake) = guest { (link, handshake.deadline) } else { nil }
        }
        if greeting.count >= limits.guests, let oldest = greeting.min(by: { $0.deadline < $1.deadline }) {
            guests[ObjectIdentifier(oldest.link)] = nil
            sendAway(oldest.link, "\(limits.guests) newer connections wait for their handshake")
        }
        guests[ObjectIdentifier(link)] = .greeting(
            link, CoordinatorHandshake(secret: secret, deadline: time.now() + limits.handshake))
    }

    private func receive(_ link: any Link, _ header: FrameHeader, _ payload: UnsafeRawBufferPointer) {
        do {
            let message = try ControlMessage(kind: header.kind, payload: payload)
            switch guests[ObjectIdentifier(link)] {
            case .greeting(_, let handshake): try shakeHands(link, handshake, message)
            case .loading(_, let seat, let description, _): try hear(link, seat, description, message)
            case .joining(_, let seat, let description, _): hearJoining(link, seat, description, message)
            case .ready: hearReady(link, message)
            case nil: break
            }
        } catch {
            sendAway(link, "\(error)")
        }
    }

    private func shakeHands(_ link: any Link, _ handshake: CoordinatorHandshake, _ message: ControlMessage) throws {
        var handshake = handshake
        switch try handshake.receive(message, at: time.now()) {
        case .send(let answer):
            guests[ObjectIdentifier(link)] = .greeting(link, handshake)
            try link.send(answer)
        case .accept(let description):
            link.maximumPayload = WireLimit.controlPayload
            try seatGuest(link, limited(description))
        }
    }

    /// A worker offers what its host has; the cluster file may say that its experts get less, and sums are made of it.
    private func limited(_ description: WorkerDescription) -> WorkerDescription {
        let limit = seats.first { $0.name == description.name }?.memoryLimit
        var limited = description
        limited.memoryBytes = min(description.memoryBytes, limit ?? .max, Self.mostMemory)
        return limited
    }

    private func seatGuest(_ link: any Link, _ description: WorkerDescription) throws {
        if let members { return try admit(link, description, to: members) }
        guard let index = seats.firstIndex(where: { $0.name == description.name }) else {
            return refuse(link, .unknownName(description.name, known: seats.map(\.name)))
        }
        let seat = seats[index]
        guard isFree(places[index]) else { return refuse(link, .nameTaken(description.name)) }
        if !description.modelFingerprint.isEmpty, description.modelFingerprint != seat.assignment.modelFingerprint {
            return refuse(link, .otherCheckpoint(path: description.modelPath), at: index)
        }
        guard description.memoryBytes >= seat.weightBytes else {
            let refusal = Refusal.tooLittleMemory(needed: seat.weightBytes, available: description.memoryBytes)
            return refuse(link, refusal, at: index)
        }
        try assign(seat.assignment, to: link)
        places[index] = .loading(LoadProgress(loadedBytes: 0, totalBytes: seat.weightBytes))
        guests[ObjectIdentifier(link)] = .loading(link, seat: index, description, lastHeard: time.now())
        logger.info("worker joined", metadata: ["worker": "\(seat.name)", "peer": "\(link.peer)"])
    }

    /// Lets a worker into a cluster that serves, be it a new one or one that was lost.
    private func admit(_ link: any Link, _ description: WorkerDescription, to members: [String: any Link]) throws {
        let known = seats.first { $0.name == description.name }
        guard var assignment = known?.assignment ?? welcome else {
            return refuse(link, .unknownName(description.name, known: seats.map(\.name)))
        }
        guard members[description.name].map({ $0.closeReason != nil }) ?? true else {
            return refuse(link, .nameTaken(description.name))
        }
        if !description.modelFingerprint.isEmpty, description.modelFingerprint != assignment.modelFingerprint {
            return refuse(link, .otherCheckpoint(path: description.modelPath))
        }
        assignment.slots = []
        try assign(assignment, to: link)
        let seat = WorkerSeat(name: description.name, assignment: assignment, weightBytes: 0)
        self.members?[description.name] = link
        guests[ObjectIdentifier(link)] = .joining(link, seat, description, lastHeard: time.now())
        logger.info("worker joins", metadata: ["worker": "\(seat.name)", "peer": "\(link.peer)"])
    }

    /// Tells a worker what it is to do, and by which memory it may answer.
    private func assign(_ assignment: Assignment, to link: any Link) throws {
        var assignment = assignment
        if limits.sharesMemory {
            do {
                let memory = try SharedMemory(
                    sending: Self.dispatchesUnderWay * assignment.dispatchByteCount,
                    receiving: assignment.combineByteCount)
                link.share(memory)
                assignment.memoryPath = memory.path
            } catch {
                logger.warning(
                    "no memory is shared with a worker, all goes over the connection",
                    metadata: ["reason": "\(error)"])
            }
        }
        try link.send(.assignment(assignment), epoch: assignment.epoch)
    }

    private func hearJoining(
        _ link: any Link, _ seat: WorkerSeat, _ description: WorkerDescription, _ message: ControlMessage
    ) {
        switch message {
        case .progress, .heartbeat:
            guests[ObjectIdentifier(link)] = .joining(link, seat, description, lastHeard: time.now())
        case .ready(let report):
            let worker = ReadyWorker(seat: seat, link: link, description: description, report: report)
            release(worker)
            arrivals.add(worker)
        case .failure(let report): sendAway(link, report.message)
        case .goodbye(let goodbye): sendAway(link, goodbye.reason)
        default: sendAway(link, "a \(message.kind) message came while the worker joins")
        }
    }

    /// A worker that loads.
    private func hear(
        _ link: any Link, _ seat: Int, _ description: WorkerDescription, _ message: ControlMessage
    ) throws {
        guests[ObjectIdentifier(link)] = .loading(link, seat: seat, description, lastHeard: time.now())
        switch message {
        case .progress(let progress):
            places[seat] = .loading(progress)
        case .ready(let report):
            let worker = ReadyWorker(seat: seats[seat], link: link, description: description, report: report)
            guests[ObjectIdentifier(link)] = .ready(link, seat: seat)
            places[seat] = .ready(worker)
            logger.info("worker ready", metadata: ["worker": "\(seats[seat].name)"])
        case .failure(let report):
            sendAway(link, report.message)
        case .goodbye(let goodbye):
            sendAway(link, goodbye.reason)
        default:
            sendAway(link, "a \(message.kind) message came while the worker loads")
        }
    }

    private func isFree(_ place: Place) -> Bool {
        if case .empty = place { true } else { false }
    }

    /// A worker that waits for its first dispatch has nothing to say but that it leaves.
    private func hearReady(_ link: any Link, _ message: ControlMessage) {
        switch message {
        case .heartbeat: break
        case .failure(let report): sendAway(link, report.message)
        case .goodbye(let goodbye): sendAway(link, goodbye.reason)
        default: sendAway(link, "a \(message.kind) message came from a worker that is ready")
        }
    }

    /// Hands a worker's link over to the caller.
    private func release(_ worker: ReadyWorker) {
        exchange.remove(worker.link)
        guests[ObjectIdentifier(worker.link)] = nil
    }

    private func refuse(_ link: any Link, _ refusal: Refusal, at seat: Int? = nil) {
        if let seat { places[seat] = .empty(lastRefusal: refusal.description) }
        try? link.send(.failure(FailureReport(message: refusal.description, status: refusal.status)))
        sendAway(link, refusal.description)
    }

    private func sendAway(_ link: any Link, _ reason: String) {
        link.close(.local(reason))
    }

    private func forget(_ link: any Link, _ reason: CloseReason) {
        let guest = guests.removeValue(forKey: ObjectIdentifier(link))
        switch guest {
        case .loading(_, let seat, _, _), .ready(_, let seat): places[seat] = .empty(lastRefusal: reason.description)
        case .greeting, .joining, nil: break
        }
        logger.warning("connection closed", metadata: ["peer": "\(link.peer)", "reason": "\(reason)"])
    }

    private func sendAwayTheSilent() {
        let now = time.now()
        for guest in guests.values {
            switch guest {
            case .greeting(let link, let handshake) where now >= handshake.deadline:
                sendAway(link, "the handshake took longer than \(limits.handshake)")
            case .loading(let link, _, _, let lastHeard), .joining(let link, _, _, let lastHeard):
                guard now >= lastHeard + limits.silence else { continue }
                sendAway(link, "nothing was heard for \(limits.silence) while the worker loads")
            case .greeting, .ready: break
            }
        }
    }

    private var loadedBytes: Int {
        zip(places, seats).reduce(0) { sum, pair in
            switch pair.0 {
            case .empty: sum
            case .loading(let progress): sum + min(progress.loadedBytes, pair.1.weightBytes)
            case .ready: sum + pair.1.weightBytes
            }
        }
    }

    private var missing: [AdmissionError.Missing] {
        zip(seats, places).compactMap { seat, place in
            switch place {
            case .empty(let refusal): .init(name: seat.name, state: refusal ?? "it has not connected")
            case .loading(let progress):
                .init(name: seat.name, state: "it has loaded \(progress.loadedBytes) of \(progress.totalBytes) bytes")
            case .ready: nil
            }
        }
    }

    /// Bytes: a thousand times as many as any host has.
    private static let mostMemory = 1 << 50
    /// Of the longest, in memory that is shared with a worker.
    private static let dispatchesUnderWay = 2
    /// How often `check` is called.
    private static let tick = Duration.milliseconds(100)
    private static let idleTick = Duration.seconds(1)
}
