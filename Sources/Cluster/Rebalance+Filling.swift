extension Rebalance {
    /// Starts the fills that the throttle lets through. What mends a gap is not held back.
    mutating func startFills(at now: Duration, _ actions: inout [Action]) {
        guard case .filling(var migration) = phase else { return }
        let isUrgent = !holdings.isWhole
        var held: [PlacementChange.Fill] = []
        var isOpen = true
        for fill in migration.waiting {
            let isLeaving = leaving.contains { $0.free.slot == fill.slot && $0.free.worker == fill.worker }
            if isOpen, !isLeaving, migration.activeCount(of: fill.worker) < throttle.maximumPerWorker {
                isOpen = isUrgent || throttle.start(byteCount: fill.byteCount, at: now)
                if isOpen {
                    start(fill, &migration, at: now, &actions)
                } else {
                    held.append(fill)
                }
            } else {
                held.append(fill)
            }
        }
        migration.waiting = held
        phase = .filling(migration)
    }

    /// A report about a fill that was given up meanwhile is of no interest: the worker was told to drop it.
    mutating func finishFill(_ number: Int) {
        guard case .filling(var migration) = phase, let active = migration.active.removeValue(forKey: number) else {
            return
        }
        migration.noteDone(active.fill)
        phase = .filling(migration)
    }

    /// What one source does not give another one may; when none is left the whole request fails.
    mutating func failFill(_ number: Int, _ reason: String, at now: Duration, _ actions: inout [Action]) {
        guard case .filling(var migration) = phase, let active = migration.active.removeValue(forKey: number) else {
            return
        }
        let fill = active.fill
        if let again = migration.alternative(to: fill, holders: holdings.holders(of: fill.slot)) {
            start(again, &migration, at: now, &actions)
            phase = .filling(migration)
            return
        }
        if giveUp(migration, &actions) { publish(&actions) }
        finish(
            migration.request, .failed(reason: "worker \(fill.worker) cannot fill \(fill.slot): \(reason)"), &actions)
    }

    /// A worker that lives but does not get done must not hold the request up for ever.
    mutating func failOverdue(at now: Duration, _ actions: inout [Action]) {
        guard case .filling(let migration) = phase else { return }
        for (number, active) in migration.active.sorted(by: { $0.key < $1.key }) where now >= active.deadline {
            actions.append(.free(PlacementChange.Free(slot: active.fill.slot, worker: active.fill.worker)))
            let limit = FillThrottle.timeLimit(byteCount: active.fill.byteCount)
            failFill(number, "it was not done within \(limit.components.seconds) s", at: now, &actions)
        }
    }

    /// Puts the change in force.
    mutating func switchOver(_ actions: inout [Action]) {
        guard case .switching(let migration) = phase else { return }
        holdings.apply(migration.change)
        publish(&actions)
        leaving += migration.change.frees.map { ($0, epoch) }
        releaseInNeed(&actions)
        phase = .draining(migration)
    }

    mutating func release(before epoch: UInt32, _ actions: inout [Action]) {
        actions += leaving.filter { $0.epoch <= epoch }.map { .free($0.free) }
        leaving.removeAll { $0.epoch <= epoch }
    }

    /// While somebody waits for a slot that nobody holds, flights do not end, so their slots are not waited for:
    /// dispatches and commands reach a worker in order, and what was sent before is still answered.
    private mutating func releaseInNeed(_ actions: inout [Action]) {
        if !holdings.isWhole { release(before: epoch, &actions) }
    }

    /// Takes a worker out of everything. Slots that it alone held come from where else they are in memory, be it that
    /// they were to be freed or have just been filled; the rest is for a repair.
    mutating func lose(_ worker: Int, _ actions: inout [Action]) {
        holdings.removeAll(of: worker)
        leaving.removeAll { $0.free.worker == worker }
        queue.removeAll { $0.worker == worker }
        for entry in leaving { keep(entry.free.slot, on: entry.free.worker) }
        leaving.removeAll { holdings.holders(of: $0.free.slot).contains($0.free.worker) }
        abandon(after: worker, &actions)
        publish(&actions)
        releaseInNeed(&actions)
        if !queue.contains(.repair) { queue.insert(.repair, at: 0) }
    }

    /// Takes a slot that is in a worker's memory into the table when nobody else holds it.
    /// - Returns: whether it is in the table.
    @discardableResult
    private mutating func keep(_ slot: Slot, on worker: Int) -> Bool {
        guard holdings.holders(of: slot).isEmpty else { return false }
        holdings.add(slot, to: worker)
        return true
    }

    private mutating func start(
        _ fill: PlacementChange.Fill, _ migration: inout Migration, at now: Duration, _ actions: inout [Action]
    ) {
        let deadline = now + FillThrottle.timeLimit(byteCount: fill.byteCount)
        migration.active[nextFill] = ActiveFill(fill: fill, deadline: deadline)
        actions.append(.fill(nextFill, fill))
        nextFill += 1
    }

    private mutating func publish(_ actions: inout [Action]) {
        epoch += 1
        actions.append(.publish(epoch: epoch))
        let missing = holdings.missing
        if !missing.isEmpty { actions.append(.missing(missing)) }
    }

    /// Ends the request under way because a worker was lost. What is to happen all the same is asked for again.
    private mutating func abandon(after worker: Int, _ actions: inout [Action]) {
        guard let request = current else { return }
        switch phase {
        case .filling(let migration), .switching(let migration): giveUp(migration, lost: worker, &actions)
        case .idle, .planning, .draining, .failed: break
        }
        switch request {
        case .admit(let other) where other != worker, .drain(let other) where other != worker:
            phase = .idle
            queue.insert(request, at: 0)
        case .admit, .drain, .rebalance, .repair:
            finish(request, .failed(reason: "worker \(worker) was lost meanwhile"), &actions)
        }
    }

    /// Drops what was filled for a change that will not come, but keeps what nobody else holds.
    /// - Returns: whether anything was kept.
    @discardableResult
    private mutating func giveUp(_ migration: Migration, lost: Int? = nil, _ actions: inout [Action]) -> Bool {
        var isAnyKept = false
        for fill in migration.done where fill.worker != lost {
            if keep(fill.slot, on: fill.worker) {
                isAnyKept = true
            } else {
                actions.append(.free(PlacementChange.Free(slot: fill.slot, worker: fill.worker)))
            }
        }
        for (_, active) in migration.active.sorted(by: { $0.key < $1.key }) where active.fill.worker != lost {
            actions.append(.free(PlacementChange.Free(slot: active.fill.slot, worker: active.fill.worker)))
        }
        return isAnyKept
    }
}
