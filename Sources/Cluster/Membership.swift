/// Who belongs to the cluster: joining, ready, draining, gone, lost, and back under the same name. Events in, actions
/// out; what is to move is asked of `Rebalance`.
package struct Membership: Sendable {
    package enum Event: Sendable {
        /// A worker has proven that it belongs here.
        case joined(name: String, Member.Offer)
        /// An operator asks to empty a worker.
        case drain(name: String)
        /// An operator asks to do without a worker at once.
        case remove(name: String)
        /// The link is closed, or the worker has not been heard of for too long.
        case lost(name: String)
        /// A request to `Rebalance` has ended.
        case finished(RebalanceRequest, RebalanceOutcome)
    }

    package enum Action: Sendable, Equatable {
        /// The worker has this number from now on.
        case admitted(index: Int)
        /// Ask `Rebalance`.
        case request(RebalanceRequest)
        /// Tell `Rebalance` that the worker is lost, and close its link.
        case lost(index: Int)
        /// Tell the worker that it may leave.
        case dismiss(index: Int)
        /// Tell whoever asked.
        case refuse(MembershipError)
    }

    /// By index.
    package private(set) var members: [Member]
    private let stages: [Stage]
    /// Enough for any cluster, and few enough that tables stay small.
    package static let maximumCount = 4096

    /// - Parameter members: those that take part from the start, by index.
    package init(members: [Member], stages: [Stage]) {
        precondition(members.indices.allSatisfy { members[$0].index == $0 }, "members stand by their index")
        self.members = members
        self.stages = stages
    }

    package mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .joined(let name, let offer): return join(name, offer)
        case .drain(let name): return drain(name)
        case .remove(let name): return remove(name)
        case .lost(let name): return lose(name)
        case .finished(.admit(let index), _): return settle(index)
        case .finished(.drain(let index), let outcome): return drained(index, outcome)
        case .finished: return []
        }
    }

    /// What the policies may count on.
    /// - Parameters:
    ///   - leaving: slots of a worker that are in its memory but out of the table.
    ///   - speed: a worker's measured speed; nil while it is not known, when it counts as the mean of the others.
    package func capacities(leaving: (Int) -> Int = { _ in 0 }, speed: (Member) -> Double?) -> [WorkerCapacity] {
        let present = members.filter(\.isPresent)
        let known = present.compactMap(speed)
        let mean = known.isEmpty ? 1 : known.reduce(0, +) / Double(known.count)
        return present.map { member in
            WorkerCapacity(
                index: member.index, stage: member.stage, slots: max(0, member.offer.slots - leaving(member.index)),
                speed: speed(member) ?? mean, readsCheckpoint: member.offer.readsCheckpoint,
                takesSlots: member.state != .draining)
        }
    }

    private mutating func join(_ name: String, _ offer: Member.Offer) -> [Action] {
        if let index = index(of: name) {
            guard !members[index].isPresent else { return [.refuse(.nameTaken(name))] }
            members[index].state = .joining
            members[index].offer = offer
            return [.admitted(index: index), .request(.admit(index))]
        }
        let index = members.firstIndex { $0.state == .left } ?? members.count
        guard index < Self.maximumCount else { return [.refuse(.tooManyWorkers(maximum: Self.maximumCount))] }
        let member = Member(name: name, index: index, stage: poorestStage(), state: .joining, offer: offer)
        if index < members.count { members[index] = member } else { members.append(member) }
        return [.admitted(index: index), .request(.admit(index))]
    }

    private mutating func drain(_ name: String) -> [Action] {
        guard let index = index(of: name) else { return [.refuse(unknown(name))] }
        switch members[index].state {
        case .ready, .joining, .draining: members[index].state = .draining
        case .left, .lost: return [.refuse(.notReady(name, members[index].state))]
        }
        return [.request(.drain(index))]
    }

    /// A lost one is forgotten: its number is free for another.
    private mutating func remove(_ name: String) -> [Action] {
        guard let index = index(of: name), members[index].state != .left else { return [.refuse(unknown(name))] }
        defer { members[index].state = .left }
        return members[index].isPresent ? [.lost(index: index)] : []
    }

    private mutating func lose(_ name: String) -> [Action] {
        guard let index = index(of: name), members[index].isPresent else { return [] }
        members[index].state = .lost
        return [.lost(index: index)]
    }

    private mutating func settle(_ index: Int) -> [Action] {
        if members[index].state == .joining { members[index].state = .ready }
        return []
    }

    private mutating func drained(_ index: Int, _ outcome: RebalanceOutcome) -> [Action] {
        guard members[index].state == .draining else { return [] }
        switch outcome {
        case .done, .nothing:
            members[index].state = .left
            return [.dismiss(index: index)]
        case .incomplete(let slots):
            members[index].state = .ready
            return [.refuse(.noRoom(members[index].name, slots: slots.count))]
        case .failed(let reason):
            members[index].state = .ready
            return [.refuse(.drainFailed(members[index].name, reason: reason))]
        }
    }

    private func index(of name: String) -> Int? { members.firstIndex { $0.name == name } }

    private func unknown(_ name: String) -> MembershipError {
        .unknown(name, known: members.filter(\.isPresent).map(\.name))
    }

    /// The stage with the fewest slots for each of its layers, the first of equals.
    private func poorestStage() -> Int {
        let wealth = stages.map { stage in
            let slots = members.reduce(0) { $1.isPresent && $1.stage == stage.index ? $0 + $1.offer.slots : $0 }
            return Double(slots) / Double(max(1, stage.layers.count))
        }
        return wealth.indices.min { wealth[$0] < wealth[$1] } ?? 0
    }
}
