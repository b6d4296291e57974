internal import Checkpoint
internal import Experts
internal import Kernels
internal import Transport
internal import Wire

/// A worker that holds its experts: answers each dispatch with a combine.
final class WorkerSession {
    private var shard: ExpertShard
    private let shape: RowShape
    private let bounds: DispatchBody.Bounds
    private let maximumPairs: Int
    private let feedForward: GroupedFeedForward
    private let answers: AlignedBuffer<UInt8>
    private let loader: BackgroundLoader
    private let time: any TimeSource
    private var pairs: [GroupedFeedForward.Pair] = []

    init(
        shard: ExpertShard, assignment: Assignment, checkpoint: Checkpoint, processor: Processor,
        exchange: any Exchange, time: any TimeSource
    ) {
        let config = checkpoint.config
        loader = BackgroundLoader(checkpoint: checkpoint, exchange: exchange)
        self.shard = shard
        self.time = time
        shape = assignment.rowShape
        bounds = DispatchBody.Bounds(
            maximumRows: assignment.maximumRows, expertCount: config.expertCount,
            rankCount: assignment.tensorParallelSize)
        maximumPairs = assignment.maximumRows * config.expertsPerToken * assignment.tensorParallelSize
        feedForward = GroupedFeedForward(
            processor: processor, hiddenSize: config.hiddenSize,
            width: ExpertShard.widestSlice(
                of: config.expertIntermediateSize, count: assignment.tensorParallelSize), maximumPairs: maximumPairs,
            exchange: shape.dtype == .bf16 ? .bf16 : .f32)
        answers = AlignedBuffer(count: maximumPairs * shape.byteCount)
        pairs.reserveCapacity(maximumPairs)
    }

    /// The longest payload that the coordinator has reason to send.
    var maximumPayload: Int {
        max(
            WireLimit.controlPayload,
            DispatchBody.byteCount(rows: bounds.maximumRows, pairs: maximumPairs, shape: shape))
    }

    /// Computes what a dispatch asks for and sends it back.
    /// - Throws: `BodyError` or `WorkerError` when the dispatch is not what was agreed on; `TransportError`.
    func answer(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer, on link: any Link) throws {
        let start = time.now()
        let body = try DispatchBody(header: header, payload: payload, shape: shape, bounds: bounds)
        try take(body.pairs, layer: Int(header.layer))
        guard let rows = body.rows.baseAddress else { throw WorkerError.badAssignment("a dispatch has no rows") }
        feedForward.run(pairs, of: shard, layer: Int(header.layer), input: rows, answers: answers.pointer)
        let elapsed = time.now().nanoseconds(since: start) / 1000
        let reply = CombineBody.header(
            answering: header, shape: shape, elapsedMicroseconds: UInt32(clamping: elapsed))
        try link.send(
            reply, [UnsafeRawBufferPointer(start: answers.pointer, count: pairs.count * shape.byteCount)])
    }

    /// What is held now.
    var report: ReadyReport {
        let held = shard.all
        return ReadyReport(
            loadedBytes: held.reduce(0) { $0 + $1.byteCount }, residentBytes: ResidentMemory.byteCount,
            expertSlots: held.count)
    }

    /// Loads further slots while serving.
    func load(_ assignment: Assignment, order: UInt64) { loader.start(assignment, order: order) }

    /// Holds from now on what was loaded in the background, and says so.
    func welcomeLoaded(on link: any Link) throws {
        for loaded in loader.take() {
            shard = shard.adding(try loaded.shard.get())
            try link.send(.ready(report), flight: loaded.order)
        }
    }

    /// Lets slots go.
    func remove(_ groups: [Assignment.SlotGroup]) {
        for group in groups {
            shard = shard.removing(
                group.experts.map { $0 * bounds.rankCount + group.rank }, layer: group.layer)
        }
    }

    private func take(_ asked: UnsafeBufferPointer<ExpertPair>, layer: Int) throws {
        guard asked.count <= maximumPairs else {
            throw WorkerError.badAssignment(
                "\(asked.count) pairs in a dispatch; at most \(maximumPairs) were agreed on")
        }
        pairs.removeAll(keepingCapacity: true)
        for pair in asked {
            let slice = Int(pair.expert) * bounds.rankCount + Int(pair.rank)
            guard shard.holds(slice, layer: layer) else {
                throw WorkerError.badAssignment(
                    "slice \(pair.rank) of expert \(pair.expert) of layer \(layer) is asked for and not held")
            }
            pairs.append(.init(row: Int(pair.row), slice: slice))
        }
    }
}
