package import Cluster
package import Experts
package import Kernels
internal import Synchronization
package import Transport
package import Wire

/// The routed experts on a cluster of workers: dispatches each layer's tokens to the workers that hold their experts,
/// and combines the answers in an order that does not depend on who gave them.
package final class RemoteExperts: RoutedExperts {
    package struct Limits: Sendable {
        /// The longest that one layer's answers may take; a worker that is late is taken for lost.
        package var answer = Duration.seconds(120)
        /// How long the step's thread polls before it sleeps.
        package var spin = Duration.microseconds(50)

        package init() {}
    }

    private let workers: [ReadyWorker]
    private let indexOfLink: [ObjectIdentifier: Int]
    private let placement: Placement
    private let shape: RowShape
    private let exchange: any Exchange
    private let time: any TimeSource
    private let limits: Limits
    private let processor: Processor
    private let sum: AnswerSum
    private let narrowHidden: AlignedBuffer<UInt16>
    private let maximumAnswers: Int
    private var plan: DispatchPlan
    private var chooser: ReplicaChooser
    private var idle: [Answers] = []
    private var flights: [UInt64: Answers] = [:]
    private var nextFlight: UInt64 = 1
    private var failure: WorkerLost?
    package private(set) var activity: [WorkerActivity]

    /// - Parameters:
    ///   - workers: by the placement's worker index; their links become this object's.
    ///   - exchange: holds nothing else.
    ///   - maximumTokens: the most tokens of one flight.
    package init(
        workers: [ReadyWorker], placement: Placement, exchange: any Exchange, time: any TimeSource,
        processor: Processor, shape: RowShape, expertsPerToken: Int, maximumTokens: Int, limits: Limits = Limits()
    ) {
        self.workers = workers
        self.placement = placement
        self.exchange = exchange
        self.time = time
        self.processor = processor
        self.shape = shape
        self.limits = limits
        let ranks = placement.parallelism.tensor
        maximumAnswers = maximumTokens * expertsPerToken * ranks
        sum = AnswerSum(
            processor: processor, hiddenSize: shape.hiddenSize, rankCount: ranks, maximumTokens: maximumTokens,
            exchange: ExchangeDType(shape.dtype))
        narrowHidden = AlignedBuffer(count: shape.dtype == .bf16 ? maximumTokens * shape.hiddenSize : 0)
        plan = DispatchPlan(workerCount: workers.count, shape: shape)
        chooser = ReplicaChooser(speeds: workers.map { _ in 1 })
        activity = workers.map { WorkerActivity($0) }
        indexOfLink = Dictionary(
            uniqueKeysWithValues: workers.enumerated().map { (ObjectIdentifier($1.link), $0) })
        for worker in workers {
            worker.link.maximumPayload = max(
                WireLimit.controlPayload, CombineBody.byteCount(pairs: maximumAnswers, shape: shape))
            exchange.add(worker.link)
        }
    }

    package var stageCount: Int { placement.stages.count }

    package func stage(of layer: Int) -> Int { placement.stage(layer: layer)?.index ?? 0 }

    package func dispatch(_ hidden: UnsafePointer<Float>, to routing: Routing, layer: Int) throws -> Flight {
        if let failure { throw failure }
        let flight = Flight(identifier: nextFlight, layer: layer, routing: routing)
        nextFlight += 1
        let answers =
            idle.popLast() ?? Answers(workerCount: workers.count, maximumAnswers: maximumAnswers, shape: shape)
        flights[flight.identifier] = answers
        plan.build(routing, placement.table(layer: layer), &chooser)
        let rows = exchanged(hidden, routing.tokens)
        for worker in workers.indices where !plan.shares[worker].isEmpty {
            answers.expect(plan.shares[worker].places, from: worker)
            try send(worker, rows, flight)
        }
        return flight
    }

    package func combine(_ flight: Flight, into output: UnsafeMutablePointer<Float>) throws {
        guard let answers = flights[flight.identifier] else { preconditionFailure("a flight is combined once") }
        try collect(answers)
        flights[flight.identifier] = nil
        sum.add(answers.values, routing: flight.routing, into: output)
        idle.append(answers)
    }

    /// Tells every worker that it is no longer needed.
    package func close() {
        for worker in workers {
            try? worker.link.send(.goodbye(Goodbye(reason: "the coordinator is done")))
        }
        _ = exchange.wait(until: time.now() + Self.farewell, spin: .zero) { _ in }
        for worker in workers { worker.link.close(.local("the coordinator is done")) }
    }

    private func send(_ worker: Int, _ rows: UnsafeRawPointer, _ flight: Flight) throws {
        do {
            try plan.write(
                worker: worker, hidden: rows, epoch: UInt32(truncatingIfNeeded: placement.epoch), layer: flight.layer,
                flight: flight.identifier
            ) { header, segments in
                try workers[worker].link.send(header, segments)
                activity[worker].noteDispatch(header)
            }
        } catch {
            throw lose(worker, "\(error)")
        }
    }

    private func collect(_ answers: Answers) throws {
        let deadline = time.now() + limits.answer
        while answers.pendingCount > 0 {
            if let failure { throw failure }
            let result = exchange.wait(until: deadline, spin: limits.spin) { handle($0) }
            if result == .timedOut, let late = answers.pendingWorkers.first, failure == nil {
                throw lose(late, "it has not answered within \(limits.answer)")
            }
        }
    }

    private func handle(_ event: ExchangeEvent) {
        switch event {
        case .accepted(let link):
            link.close(.local("nobody is let in here"))
        case .closed(let link, let reason):
            if let worker = indexOfLink[ObjectIdentifier(link)] { _ = lose(worker, reason.description) }
        case .frame(let link, let header, let payload):
            guard let worker = indexOfLink[ObjectIdentifier(link)] else { return }
            do {
                try receive(header, payload, from: worker)
            } catch {
                link.close(.local("\(error)"))
                _ = lose(worker, "\(error)")
            }
        }
    }

    private func receive(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer, from worker: Int) throws {
        guard header.kind == .combine else {
            let message = try ControlMessage(kind: header.kind, payload: payload)
            if case .failure(let report) = message { _ = lose(worker, report.message) }
            return
        }
        activity[worker].noteCombine(header)
        try flights[header.flight]?.accept(header, payload, from: worker)
    }

    /// The first loss is the one that is reported.
    private func lose(_ worker: Int, _ reason: String) -> WorkerLost {
        let lost = WorkerLost(name: workers[worker].seat.name, peer: workers[worker].link.peer, reason: reason)
        if failure == nil { failure = lost }
        return failure ?? lost
    }

    /// The hidden vectors [tokens, hidden size] in the dtype of the wire.
    private func exchanged(_ hidden: UnsafePointer<Float>, _ tokens: Int) -> UnsafeRawPointer {
        guard shape.dtype == .bf16 else { return UnsafeRawPointer(hidden) }
        processor.narrow(hidden, count: tokens * shape.hiddenSize, into: narrowHidden.pointer)
        return UnsafeRawPointer(narrowHidden.pointer)
    }

    /// How long a goodbye may take.
    private static let farewell = Duration.milliseconds(50)
}

extension ExchangeDType {
    package init(_ dtype: WireDType) {
        self =
            switch dtype {
            case .f32: .f32
            case .bf16: .bf16
            }
    }

    package var onTheWire: WireDType {
        switch self {
        case .f32: .f32
        case .bf16: .bf16
        }
    }
}
