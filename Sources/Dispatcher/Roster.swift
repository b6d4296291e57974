internal import Cluster
internal import Transport
internal import Wire

/// The workers of a cluster by placement index: who is there, since when nothing was heard, and what each has done.
struct Roster {
    struct Member {
        let seat: WorkerSeat
        fileprivate(set) var state: State
        var activity: WorkerActivity
        /// Bytes of experts that fit.
        fileprivate(set) var memoryBytes: Int
    }

    enum State {
        case serving(any Link, lastHeard: Instant)
        case lost(peer: String, reason: String)
    }

    private(set) var members: [Member]
    private var indexOfLink: [ObjectIdentifier: Int] = [:]

    init(_ workers: [ReadyWorker], now: Instant) {
        members = workers.map {
            Member(
                seat: $0.seat, state: .serving($0.link, lastHeard: now), activity: WorkerActivity($0),
                memoryBytes: $0.description.memoryBytes)
        }
        for (index, worker) in workers.enumerated() { indexOfLink[ObjectIdentifier(worker.link)] = index }
    }

    /// nil for a link that belongs to nobody any more.
    func index(of link: any Link) -> Int? { indexOfLink[ObjectIdentifier(link)] }

    func index(named name: String) -> Int? { members.firstIndex { $0.seat.name == name } }

    /// nil when the worker is lost.
    func link(of worker: Int) -> (any Link)? {
        if case .serving(let link, _) = members[worker].state { link } else { nil }
    }

    var serving: [Int] { members.indices.filter { link(of: $0) != nil } }

    mutating func hear(_ worker: Int, at now: Instant) {
        if case .serving(let link, _) = members[worker].state {
            members[worker].state = .serving(link, lastHeard: now)
        }
    }

    mutating func note(_ worker: Int, _ change: (inout WorkerActivity) -> Void) { change(&members[worker].activity) }

    /// When the worker was heard last; nil when it is lost.
    func lastHeard(_ worker: Int) -> Instant? {
        if case .serving(_, let lastHeard) = members[worker].state { lastHeard } else { nil }
    }

    mutating func lose(_ worker: Int, _ reason: String) {
        guard case .serving(let link, _) = members[worker].state else { return }
        indexOfLink[ObjectIdentifier(link)] = nil
        members[worker].state = .lost(peer: link.peer, reason: reason)
    }

    /// A lost worker is back under its name.
    mutating func restore(_ worker: Int, _ ready: ReadyWorker, now: Instant) {
        indexOfLink[ObjectIdentifier(ready.link)] = worker
        members[worker].state = .serving(ready.link, lastHeard: now)
        members[worker].memoryBytes = ready.description.memoryBytes
    }

    /// The lost ones, as an error names them.
    var losses: [ExpertsLost.Loss] {
        members.compactMap { member in
            guard case .lost(let peer, let reason) = member.state else { return nil }
            return ExpertsLost.Loss(worker: member.seat.name, peer: peer, reason: reason)
        }
    }
}
