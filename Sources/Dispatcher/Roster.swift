internal import Cluster
internal import Transport
internal import Wire

/// The workers of a cluster by placement index: who is there, since when nothing was heard, and what each has done.
struct Roster {
    struct Member {
        fileprivate(set) var seat: WorkerSeat
        fileprivate(set) var state: State
        var activity: WorkerActivity
        /// Bytes of experts that fit.
        fileprivate(set) var memoryBytes: Int
        /// Where other workers may fetch experts from it.
        fileprivate(set) var peerAddress: PeerAddress?
        /// The placement's version when it joined, with nothing: what versions up to this one say of its number is
        /// about somebody else. nil: it is here from the start.
        fileprivate(set) var joinedEpoch: UInt32?
        /// Others were asked for what it owes as well, and it has answered nothing since.
        fileprivate(set) var isLate = false
        /// When its latest answer came: it begins the next parcel only then, however early that was sent.
        fileprivate var lastAnswer = Instant(nanoseconds: 0)
        /// What its link had brought when it was looked at last.
        fileprivate var bytesIn: UInt64 = 0
    }

    enum State {
        case serving(any Link, lastHeard: Instant)
        case lost(peer: String, reason: String)
        /// It was told that it may leave.
        case left(peer: String)
    }

    private(set) var members: [Member]
    private var indexOfLink: [ObjectIdentifier: Int] = [:]

    init(_ workers: [ReadyWorker], now: Instant) {
        members = []
        for (index, worker) in workers.enumerated() { seat(worker, at: index, epoch: nil, now: now) }
    }

    /// nil for a link that belongs to nobody any more.
    func index(of link: any Link) -> Int? { indexOfLink[ObjectIdentifier(link)] }

    func index(named name: String) -> Int? { members.firstIndex { $0.seat.name == name } }

    /// nil when the worker is lost or has left.
    func link(of worker: Int) -> (any Link)? {
        if case .serving(let link, _) = members[worker].state { link } else { nil }
    }

    /// The link of a worker that a placement names; nil when nobody is there who could be meant.
    func link(of worker: Int, epoch: UInt32) -> (any Link)? {
        members[worker].joinedEpoch.map { epoch > $0 } ?? true ? link(of: worker) : nil
    }

    var serving: [Int] { members.indices.filter { link(of: $0) != nil } }

    mutating func hear(_ worker: Int, at now: Instant) {
        if case .serving(let link, _) = members[worker].state {
            members[worker].state = .serving(link, lastHeard: now)
        }
    }

    /// Hears those of whom part of a frame has come since the last look: a long answer takes time on a slow network.
    mutating func hearParts(at now: Instant) {
        for worker in members.indices {
            guard let bytesIn = link(of: worker)?.counters.bytesIn, bytesIn != members[worker].bytesIn else { continue }
            members[worker].bytesIn = bytesIn
            hear(worker, at: now)
        }
    }

    mutating func noteLate(_ worker: Int) { members[worker].isLate = true }

    /// - Returns: whether it was late until now.
    mutating func noteAnswer(_ worker: Int) -> Bool {
        defer { members[worker].isLate = false }
        return members[worker].isLate
    }

    mutating func note(_ worker: Int, _ change: (inout WorkerActivity) -> Void) { change(&members[worker].activity) }

    /// An answer has come.
    /// - Returns: what the worker did for it.
    mutating func noteCombine(_ header: FrameHeader, of parcel: Parcel, now: Instant) -> WorkerLoad {
        let start = max(parcel.sent, members[parcel.worker].lastAnswer)
        members[parcel.worker].lastAnswer = now
        return members[parcel.worker].activity.noteCombine(
            header, nanoseconds: now.nanoseconds(since: start), pairs: parcel.places.count)
    }

    /// When the worker was heard last; nil when it is not there.
    func lastHeard(_ worker: Int) -> Instant? {
        if case .serving(_, let lastHeard) = members[worker].state { lastHeard } else { nil }
    }

    mutating func lose(_ worker: Int, _ reason: String) {
        guard let link = removeLink(of: worker) else { return }
        members[worker].state = .lost(peer: link.peer, reason: reason)
    }

    mutating func dismiss(_ worker: Int) {
        guard let link = removeLink(of: worker) else { return }
        members[worker].state = .left(peer: link.peer)
    }

    /// Gives a worker that has joined a number: a new one, that of one that has left, or its own.
    mutating func seat(_ ready: ReadyWorker, at index: Int, epoch: UInt32?, now: Instant) {
        indexOfLink[ObjectIdentifier(ready.link)] = index
        var member = Member(
            seat: ready.seat, state: .serving(ready.link, lastHeard: now), activity: WorkerActivity(ready),
            memoryBytes: ready.description.memoryBytes,
            peerAddress: ready.report.peerPort > 0
                ? PeerAddress(host: ready.link.peerHost, port: ready.report.peerPort) : nil,
            joinedEpoch: epoch)
        if index == members.count {
            members.append(member)
        } else {
            if members[index].seat.name == ready.seat.name { member.activity.goOn(from: members[index].activity) }
            members[index] = member
        }
    }

    /// The lost ones.
    var losses: [WorkerLoss] { members.indices.compactMap { loss(of: $0) } }

    /// nil when the worker is not lost.
    func loss(of worker: Int) -> WorkerLoss? {
        guard case .lost(let peer, let reason) = members[worker].state else { return nil }
        return WorkerLoss(worker: members[worker].seat.name, peer: peer, reason: reason)
    }

    private mutating func removeLink(of worker: Int) -> (any Link)? {
        guard let link = link(of: worker) else { return nil }
        indexOfLink[ObjectIdentifier(link)] = nil
        return link
    }
}
