internal import Cluster
internal import Foundation
internal import Transport
internal import Wire

// The cluster's changes: what `ControlPlane` is told, and what it wants done.
extension RemoteExperts {
    /// Asks the policy on a thread of its own.
    package static let inBackground: Planner = { policy, request, input, answer in
        let thread = Thread { answer(policy.rearrange(request, input)) }
        thread.name = "placement"
        thread.start()
    }

    func tell(_ event: ControlPlane.Event) { carryOut(control.handle(event, at: time.now().sinceOrigin)) }

    /// Takes in who and what has come from other threads, and lets time pass for the cluster.
    func tend() {
        for item in desk.take() {
            switch item {
            case .planned(let revision, let plan): tell(.planned(revision: revision, plan))
            case .command(let command, let answer):
                let ticket = Int(clamping: takeIdentifier())
                commands[ticket] = answer
                tell(.command(command, ticket: ticket))
            }
        }
        for ready in arrivals.take() { welcome(ready) }
        tell(.tick)
    }

    /// In the order in which they were decided, also when one of them brings about further ones.
    func carryOut(_ actions: [ControlPlane.Action]) {
        backlog += actions
        guard !isCarryingOut else { return }
        isCarryingOut = true
        defer { isCarryingOut = false }
        while !backlog.isEmpty {
            let actions = backlog
            backlog.removeAll()
            for action in actions { carryOut(action) }
        }
    }

    private func carryOut(_ action: ControlPlane.Action) {
        switch action {
        case .admitted, .refuse: break
        case .reply(let ticket, let reply):
            showPicture(isUrgent: true)
            let answer = commands.removeValue(forKey: ticket)
            processor.team.withFreeCaller { answer?(reply) }
        case .plan(let revision, let request, let policy, let input):
            processor.team.withFreeCaller {
                planner(policy, request, input) { [desk] in desk.post(.planned(revision: revision, $0)) }
            }
        case .fill(let number, let fill): order(number, fill)
        case .free(let worker, let slots):
            order(worker) { try $0.send(.release(SlotRelease(slots: Assignment.SlotGroup.groups(of: slots)))) }
        case .publish(let next): publish(next)
        case .missing(let slots):
            logger.warning("experts have no holder", metadata: ["slots": "\(slots.count)"])
        case .disconnect(let worker), .dismiss(let worker): dismiss(worker)
        }
    }

    /// Does without a worker from now on.
    func lose(_ worker: Int, _ reason: String) {
        guard let link = roster.link(of: worker) else { return }
        logger.warning(
            "worker lost", metadata: ["worker": "\(roster.members[worker].seat.name)", "reason": "\(reason)"])
        roster.lose(worker, reason)
        link.close(.local(reason))
        parcels.orphanAll(of: worker, roster.loss(of: worker))
        tell(.lost(worker: worker))
    }

    /// Takes workers for lost of which nothing is heard, not even heartbeats, or that owe an answer for too long.
    func loseTheSilent() {
        let now = time.now()
        roster.hearParts(at: now)
        for worker in roster.members.indices {
            guard let lastHeard = roster.lastHeard(worker), now >= lastHeard + limits.silence else { continue }
            lose(worker, "nothing was heard from it for \(limits.silence)")
        }
        for parcel in Array(parcels.all) where now >= parcel.sent + limits.answer {
            lose(parcel.worker, "it has not answered within \(limits.answer)")
        }
    }

    /// Lets a worker in that holds nothing yet.
    private func welcome(_ ready: ReadyWorker) {
        let name = ready.seat.name
        if let earlier = roster.index(named: name), let reason = roster.link(of: earlier)?.closeReason {
            lose(earlier, reason.description)
        }
        let offer = Member.Offer(
            slots: WorkerCapacity.slots(memoryBytes: ready.description.memoryBytes, sliceBytes: sliceBytes),
            readsCheckpoint: ready.report.readsCheckpoint)
        let actions = control.handle(.joined(name: name, offer), at: time.now().sinceOrigin)
        for action in actions {
            switch action {
            case .admitted(let index):
                roster.seat(ready, at: index, epoch: control.rebalance.epoch, now: time.now())
                hold(ready.link)
                setSpeeds()
                logger.info("worker takes part", metadata: ["worker": "\(name)"])
            case .refuse(let error):
                try? ready.link.send(.failure(FailureReport(message: "\(error)", status: FailureReport.Status.usage)))
                ready.link.close(.local("\(error)"))
            default: break
            }
        }
        carryOut(actions)
    }

    /// A worker that is late gets only what nobody else holds.
    func setSpeeds() {
        var speeds = control.speeds
        for worker in roster.members.indices where roster.members[worker].isLate { speeds[worker] *= Self.lateSpeed }
        plan.set(speeds: speeds)
    }

    private func publish(_ next: Placement) {
        guard next.epoch > placement.epoch else { return }
        placement = next
        setSpeeds()
        logger.info("placement changed", metadata: ["epoch": "\(next.epoch)"])
    }

    private func order(_ number: Int, _ fill: PlacementChange.Fill) {
        var assignment = roster.members[fill.worker].seat.assignment
        assignment.slots = Assignment.SlotGroup.groups(of: [fill.slot])
        if case .worker(let source) = fill.source { assignment.source = roster.members[source].peerAddress }
        order(fill.worker) {
            try $0.send(.assignment(assignment), epoch: control.rebalance.epoch, flight: Self.orderNumber(number))
        }
    }

    /// On the wire, where 0 stands for no order.
    private static func orderNumber(_ fill: Int) -> UInt64 { UInt64(fill) + 1 }

    /// The fill that a report is about; nil for a report about none.
    static func fill(ofOrder number: UInt64) -> Int? { number == 0 ? nil : Int(clamping: number - 1) }

    /// Sends a worker a command; one that cannot take it is lost.
    private func order(_ worker: Int, _ send: (any Link) throws -> Void) {
        guard let link = roster.link(of: worker) else { return }
        do {
            try send(link)
        } catch {
            lose(worker, "\(error)")
        }
    }

    /// The worker closes the link itself once it has heard the goodbye.
    private func dismiss(_ worker: Int) {
        guard let link = roster.link(of: worker) else { return }
        try? link.send(.goodbye(Goodbye(reason: "the worker was drained or removed", isFinal: true)))
        roster.dismiss(worker)
        parcels.orphanAll(of: worker)
        logger.info("worker left", metadata: ["worker": "\(roster.members[worker].seat.name)"])
    }

    /// Too slow for anything that another worker can do.
    private static let lateSpeed = 1e-6
}
