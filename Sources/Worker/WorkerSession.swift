internal import Cluster
internal import Experts
internal import Kernels
internal import Transport
internal import Wire

/// A worker that serves: answers each dispatch with a combine, and takes up and lets go of experts as it is told.
final class WorkerSession {
    private var held: HeldExperts
    private let assignment: Assignment
    private let sources: SlotSources
    private let server: SliceServer?
    private let bounds: DispatchBody.Bounds
    private let maximumPairs: Int
    private let processor: Processor
    private let feedForward: GroupedFeedForward
    private let answers: AlignedBuffer<UInt8>
    private let filler: SlotFiller
    private let time: any TimeSource
    private var pairs: [GroupedFeedForward.Pair] = []

    /// - Parameters:
    ///   - held: what the worker begins with.
    ///   - assignment: what it was told when it joined; its slots are in `held`.
    ///   - server: gives others what is held; nil where that is not possible.
    ///   - exchange: woken when an order is done.
    init(
        held: HeldExperts, assignment: Assignment, sources: SlotSources, server: SliceServer?, processor: Processor,
        exchange: any Exchange, time: any TimeSource
    ) {
        self.held = held
        self.assignment = assignment
        self.sources = sources
        self.server = server
        self.time = time
        filler = SlotFiller(letGo: { sources.letGo($0) }, notify: { exchange.wake() })
        self.processor = processor
        let model = assignment.model
        bounds = DispatchBody.Bounds(
            maximumRows: assignment.maximumRows, expertCount: model.expertCount,
            rankCount: assignment.tensorParallelSize)
        maximumPairs = assignment.maximumPairs
        feedForward = GroupedFeedForward(
            processor: processor, hiddenSize: assignment.rowShape.hiddenSize,
            width: ExpertShard.widestSlice(of: model.expertWidth, count: assignment.tensorParallelSize),
            maximumRows: assignment.maximumRows, maximumPairs: maximumPairs,
            exchange: assignment.rowShape.dtype.exchange)
        answers = AlignedBuffer(count: maximumPairs * assignment.rowShape.answerByteCount)
        pairs.reserveCapacity(maximumPairs)
    }

    /// Ends what goes on in the background, and gives the experts' memory back.
    func close() {
        filler.close()
        server?.close()
        for weights in held.shard.all { sources.letGo(weights) }
    }

    /// The longest payload that the coordinator has reason to send.
    var maximumPayload: Int { max(WireLimit.controlPayload, assignment.dispatchByteCount) }

    /// Computes what a dispatch asks for and sends it back.
    /// - Throws: `BodyError` or `WorkerError` when the dispatch is not what was agreed on; `TransportError`.
    func answer(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer, on link: any Link) throws {
        let start = time.now()
        let shape = assignment.rowShape
        let body = try DispatchBody(header: header, payload: payload, shape: shape, bounds: bounds)
        try take(body.pairs, layer: Int(header.layer))
        guard let rows = body.rows.baseAddress else { throw WorkerError.badAssignment("a dispatch has no rows") }
        let byteCount = pairs.count * shape.answerByteCount
        let answers = link.lend(byteCount: byteCount) ?? UnsafeMutableRawPointer(answers.pointer)
        processor.team.withPinnedCaller {
            feedForward.run(
                pairs, of: held.shard, layer: Int(header.layer), input: rows, rowCount: body.rowCount,
                answers: answers)
        }
        let elapsed = time.now().nanoseconds(since: start) / 1000
        let reply = CombineBody.header(
            answering: header, shape: shape, elapsedMicroseconds: UInt32(clamping: elapsed))
        try link.send(reply, [UnsafeRawBufferPointer(start: answers, count: byteCount)])
    }

    /// What is held now.
    /// - Parameter residentBytes: resident memory of the process.
    func report(residentBytes: Int) -> ReadyReport {
        ReadyReport(
            loadedBytes: held.byteCount, residentBytes: residentBytes, expertSlots: held.slotCount,
            readsCheckpoint: sources.checkpoint != nil, peerPort: server?.port ?? 0)
    }

    private func take(_ asked: UnsafeBufferPointer<ExpertPair>, layer: Int) throws {
        guard asked.count <= maximumPairs else {
            throw WorkerError.badAssignment(
                "\(asked.count) pairs in a dispatch; at most \(maximumPairs) were agreed on")
        }
        pairs.removeAll(keepingCapacity: true)
        for pair in asked {
            let slice = Int(pair.expert) * bounds.rankCount + Int(pair.rank)
            guard held.shard.holds(slice, layer: layer) else {
                throw WorkerError.badAssignment(
                    "slice \(pair.rank) of expert \(pair.expert) of layer \(layer) is asked for and not held")
            }
            pairs.append(.init(row: Int(pair.row), slice: slice))
        }
    }
}

// Experts that come and go while the worker serves.
extension WorkerSession {
    /// Fills slots in the background. `reportOrders` tells of it under the order's number.
    /// - Throws: `TransportError`. An order that cannot be carried out is answered and harms nobody.
    func fill(_ order: Assignment, number: UInt64, on link: any Link) throws {
        do {
            guard order.tensorParallelSize == assignment.tensorParallelSize, order.model == assignment.model,
                order.rowShape == assignment.rowShape, order.modelFingerprint == assignment.modelFingerprint,
                order.expertDType == assignment.expertDType
            else { throw WorkerError.badAssignment("order \(number) is for another model or another way to cut it") }
            let slots = try slots(of: order.slots).filter { !held.holds($0) }
            let fill = slots.isEmpty ? SlotSources.nothing : try sources.fill(from: order.source)
            guard filler.fill(slots, order: number, by: fill) else {
                throw WorkerError.badAssignment("too many orders wait before order \(number)")
            }
        } catch let error as WorkerError {
            try refuse(number, error, on: link)
        }
    }

    /// Lets slots go, also those that are still being filled.
    func release(_ groups: [Assignment.SlotGroup]) throws {
        let slots = try slots(of: groups)
        let removed = held.remove(slots)
        server?.publish(held.shard)
        filler.release(slots, held: removed)
    }

    /// Holds from now on what has been filled in the background, and says what came of each order.
    func reportOrders(on link: any Link) throws {
        for outcome in filler.take() {
            switch outcome.slots {
            case .success(let filled):
                held.add(filled)
                server?.publish(held.shard)
                try link.send(.ready(report(residentBytes: outcome.residentBytes)), flight: outcome.order)
            case .failure(let error):
                try refuse(outcome.order, error, on: link)
            }
        }
    }

    private func slots(of groups: [Assignment.SlotGroup]) throws(WorkerError) -> [Slot] {
        try groups.slots(of: assignment.model, tensorParallelSize: assignment.tensorParallelSize)
    }

    private func refuse(_ order: UInt64, _ error: any Error, on link: any Link) throws {
        try link.send(.failure(FailureReport(message: "\(error)", status: FailureReport.Status.failed)), flight: order)
    }
}
