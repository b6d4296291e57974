internal import Transport
internal import Wire

// Flights: questions out, answers in, and what is owed asked of others.
extension RemoteExperts {
    /// Sends what the plan holds of a flight, one parcel to each worker; what cannot be sent is an orphan. The cluster
    /// changes only when all is sent: the plan is of one placement.
    ///
    /// All threads send: to wake a worker takes longer than to write to it, least so on the worker's own processor.
    /// Local workers, where they are kept anywhere, are dealt theirs in the opposite order of the team's threads.
    /// - Parameter losses: of workers that were asked for the same before.
    func send(_ answers: Answers, after losses: [WorkerLoss] = []) {
        guard let question = answers.question else { return }
        let rows = encoded(question.hidden, question.routing.tokens)
        letters.removeAll(keepingCapacity: true)
        for worker in plan.shares.indices where !plan.shares[worker].isEmpty {
            let letter = letter(
                with: .share(of: worker), of: answers, epoch: placement.epoch, to: worker, after: losses)
            if let letter { letters.append(letter) }
        }
        letters.withUnsafeMutableBufferPointer { letters in
            plan.send(
                letters, hidden: rows, epoch: placement.epoch, layer: question.layer, on: processor.team)
        }
        for letter in letters { note(letter) }
        letters.removeAll(keepingCapacity: true)
        loseUnreachable()
    }

    /// As `send`, and each worker gets a portion more of what the plan keeps back, so that none waits for its next one.
    /// The last worker gets its first one only then: it may begin on the very processor that sends.
    func sendInPortions(_ answers: Answers) {
        guard let question = answers.question else { return }
        let rows = encoded(question.hidden, question.routing.tokens)
        reserve = Reserve(
            answers: answers, table: placement.table(layer: question.layer), epoch: placement.epoch, rows: rows)
        let workers = plan.shares.indices
        for group in [workers.dropLast(), workers.suffix(1)] {
            for worker in group { sendShare(to: worker, answers, rows) }
            for worker in group { sendPortion(to: worker) }
        }
        loseUnreachable()
    }

    private func sendShare(to worker: Int, _ answers: Answers, _ rows: UnsafeRawPointer) {
        guard !plan.shares[worker].isEmpty else { return }
        post(.share(of: worker), of: answers, rows, epoch: placement.epoch, to: worker)
    }

    /// Sends a worker its next portion, if there is one that it can compute.
    private func sendPortion(to worker: Int) {
        guard let reserve, roster.link(of: worker, epoch: reserve.epoch) != nil,
            let portion = plan.nextPortion(for: worker, reserve.table)
        else { return }
        post(portion, of: reserve.answers, reserve.rows, epoch: reserve.epoch, to: worker)
    }

    /// Sends a part of the plan to a worker; without a link to it the part is an orphan.
    private func post(
        _ part: DispatchPlan.Part, of answers: Answers, _ rows: UnsafeRawPointer, epoch: UInt32, to worker: Int
    ) {
        guard let question = answers.question,
            var letter = letter(with: part, of: answers, epoch: epoch, to: worker)
        else { return }
        plan.write(part, hidden: rows, epoch: epoch, layer: question.layer, flight: letter.identifier) {
            letter.send($0, $1)
        }
        note(letter)
    }

    /// Makes a parcel of a part of the plan; without a link to the worker it is an orphan.
    private func letter(
        with part: DispatchPlan.Part, of answers: Answers, epoch: UInt32, to worker: Int,
        after losses: [WorkerLoss] = []
    ) -> Letter? {
        let identifier = takeIdentifier()
        let places = plan.takePlaces(of: part, leaving: parcels.takeSpare())
        parcels.add(
            Parcel(answers: answers, worker: worker, places: places, sent: time.now(), losses: losses), as: identifier)
        guard let link = roster.link(of: worker, epoch: epoch) else {
            parcels.orphan(identifier)
            return nil
        }
        return Letter(worker: worker, link: link, identifier: identifier)
    }

    private func note(_ letter: Letter) {
        switch letter.outcome {
        case .waiting: break
        case .sent(let header): roster.note(letter.worker) { $0.noteDispatch(header) }
        case .failed(let reason): unreachable.append((letter.worker, reason))
        }
    }

    private func loseUnreachable() {
        while let (worker, reason) = unreachable.popLast() { lose(worker, reason) }
    }

    /// When nobody is at work any more who could take the portions that are left, those are lost workers'.
    private func giveUpPortions() {
        guard let reserve, parcels.all.isEmpty else { return }
        for (worker, portion) in plan.portionsLeft {
            post(portion, of: reserve.answers, reserve.rows, epoch: reserve.epoch, to: worker)
        }
        loseUnreachable()
    }

    /// Waits until a flight is whole. Whatever comes meanwhile, the others' heartbeats too, now and then is looked who
    /// says nothing.
    func collect(_ answers: Answers) throws {
        var nextLook = time.now() + Self.tick
        while answers.dueCount > 0 {
            giveUpPortions()
            try rehome()
            let now = time.now()
            guard now < nextLook else {
                nextLook = now + Self.tick
                loseTheSilent()
                tend()
                continue
            }
            let hedge = hedgeTime(answers)
            if let hedge, now >= hedge, control.missingSince == nil { self.hedge(answers) }
            let deadline = min(nextLook, hedge.map { $0 > now ? $0 : .never } ?? .never)
            if exchange.wait(until: deadline, spin: limits.spin, handle) == .woken { tend() }
        }
    }

    /// Hears what has come, and waits for it until `deadline` if nothing has.
    func listen(until deadline: Instant) {
        var deadline = deadline
        for _ in 0..<Self.maximumHearings {
            guard exchange.wait(until: deadline, spin: .zero, handle) == .delivered else { return }
            deadline = time.now()
        }
    }

    private func handle(_ event: ExchangeEvent) {
        switch event {
        case .accepted(let link):
            link.close(.local("nobody is let in here"))
        case .closed(let link, let reason):
            if let worker = roster.index(of: link) { lose(worker, reason.description) }
        case .frame(let link, let header, let payload):
            guard let worker = roster.index(of: link) else { return }
            roster.hear(worker, at: time.now())
            do {
                try receive(header, payload, from: worker, link)
            } catch {
                lose(worker, "\(error)")
            }
        }
    }

    private func receive(
        _ header: FrameHeader, _ payload: UnsafeRawBufferPointer, from worker: Int, _ link: any Link
    ) throws {
        guard header.kind == .combine else {
            return hear(try ControlMessage(kind: header.kind, payload: payload), header, from: worker)
        }
        if roster.noteAnswer(worker) { setSpeeds() }
        guard let parcel = parcels[header.flight], parcel.worker == worker else { return }
        let now = time.now()
        control.record(worker: worker, roster.noteCombine(header, of: parcel, now: now))
        try parcel.answers.accept(header, payload, from: link, at: parcel.places, now: now)
        parcels.remove(header.flight)
        sendPortion(to: worker)
        loseUnreachable()
    }

    private func hear(_ message: ControlMessage, _ header: FrameHeader, from worker: Int) {
        let fill = Self.fill(ofOrder: header.flight)
        switch message {
        case .ready:
            if let fill { tell(.filled(fill)) }
        case .failure(let report):
            if let fill { tell(.fillFailed(fill, reason: report.message)) } else { lose(worker, report.message) }
        case .goodbye(let goodbye): lose(worker, goodbye.reason)
        default: break
        }
    }

    /// When the parcels of a flight that are still out are to be doubled: once others have shown how long it takes.
    private func hedgeTime(_ answers: Answers) -> Instant? {
        guard let question = answers.question, let last = answers.lastAnswer else { return nil }
        let usual = Duration.nanoseconds(Int64(clamping: last.nanoseconds(since: question.start)))
        guard parcels.hasUnhedged(of: answers) else { return nil }
        return question.start + max(limits.hedge, usual * limits.hedgeRatio)
    }

    /// Asks others as well for what is late, where they hold the same experts. The first answer counts; both are the
    /// same.
    private func hedge(_ answers: Answers) {
        guard let question = answers.question else { return }
        let table = placement.table(layer: question.layer)
        let identifiers = parcels.identifiers(of: answers)
        for identifier in identifiers { if let parcel = parcels[identifier] { roster.noteLate(parcel.worker) } }
        setSpeeds()
        for identifier in identifiers {
            guard let parcel = parcels[identifier] else { continue }
            parcels.hedge(identifier)
            plan.build(
                question.routing, table, only: parcel.places.filter(answers.isDue), avoiding: parcel.worker)
            control.note { $0.hedgedPairs += plan.shares.reduce(0) { $0 + $1.places.count } }
            send(answers, after: parcel.losses)
        }
    }

    /// Asks others for what lost workers owe; first gives each expert a holder again.
    /// - Throws: `ExpertsLost` when nobody takes that on; `AnswersLost` when whoever is asked is lost.
    private func rehome() throws {
        while !parcels.orphans.isEmpty {
            try makeWhole()
            let parcel = parcels.takeOrphan()
            guard let question = parcel.answers.question else { continue }
            let places = parcel.places.filter(parcel.answers.isDue)
            guard places.isEmpty || parcel.losses.count < limits.losses else {
                throw AnswersLost(layer: question.layer, losses: parcel.losses)
            }
            control.note { $0.resentPairs += places.count }
            plan.build(question.routing, placement.table(layer: question.layer), only: places)
            send(parcel.answers, after: parcel.losses)
        }
    }

    /// Waits until every slot has a holder: survivors load what is missing, or a worker arrives.
    func makeWhole() throws {
        while control.missingSince != nil {
            _ = exchange.wait(until: time.now() + Self.repairTick, spin: .zero, handle)
            loseTheSilent()
            tend()
            if let obstacle { throw obstacle }
        }
    }

    /// Events that are heard one after another before anything else gets its turn.
    private static let maximumHearings = 64
    /// How often is looked whether a repair goes on.
    private static let repairTick = Duration.milliseconds(20)
}
