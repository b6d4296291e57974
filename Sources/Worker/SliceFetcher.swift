internal import Cluster
internal import Experts
internal import Foundation
internal import Kernels
internal import Transport
internal import Wire

/// Fetches experts from another worker that holds them, bit for bit as it has them, into memory of this process.
struct SliceFetcher: Sendable {
    private let source: PeerAddress
    private let assignment: Assignment
    private let held: HeldDType?
    private let worker: WorkerDescription
    private let secret: ClusterSecret
    private let time: any TimeSource

    /// - Parameters:
    ///   - assignment: says what the slots look like.
    ///   - held: what experts are held as; nil: as stored.
    ///   - worker: how this worker presents itself; it must name the model's fingerprint.
    init(
        from source: PeerAddress, for assignment: Assignment, held: HeldDType?, as worker: WorkerDescription,
        secret: ClusterSecret, time: any TimeSource
    ) {
        self.source = source
        self.assignment = assignment
        self.held = held
        self.worker = worker
        self.secret = secret
        self.time = time
    }

    /// Each slot over a connection of its own: what is still under way of one that is not wanted any more would stand
    /// between the link and the next.
    /// - Parameter isWanted: what it denies is left out, even half-way.
    /// - Throws: `TransferError`, `TransportError`.
    func fetch(_ slots: [Slot], isWanted: (Slot) -> Bool) throws -> [FilledSlot] {
        try slots.compactMap { slot in
            do {
                return FilledSlot(slot: slot, weights: try fetch(slot) { isWanted(slot) })
            } catch TransferError.abandoned {
                return nil
            }
        }
    }

    /// Tries again while the source is busy with others.
    private func connect(_ isWanted: () -> Bool) throws -> SourceConnection {
        let deadline = time.now() + Self.patience
        var pause = Self.firstPause
        while isWanted() {
            do {
                return try SourceConnection(to: source, as: worker, secret: secret, time: time, isWanted: isWanted)
            } catch TransferError.busy where time.now() < deadline {
                Thread.sleep(forTimeInterval: pause)
                pause = min(pause * 2, Self.longestPause)
            }
        }
        throw TransferError.abandoned
    }

    private func fetch(_ slot: Slot, isWanted: () -> Bool) throws -> ExpertWeights {
        let connection = try connect(isWanted)
        let link = connection.link
        let request = SliceRequest(
            layer: slot.layer, expert: slot.expert, rank: slot.rank, tensorParallelSize: assignment.tensorParallelSize)
        try link.send(.fetch(request), flight: Self.flight)
        let answer = try connection.receiveMessage(isWanted: isWanted)
        guard case .slice(let description) = answer.message, answer.flight == Self.flight else {
            throw TransferError.unexpected(peer: link.peer, answer.message.kind)
        }
        guard isShape(of: slot, description), let layout = SliceLayout(description) else {
            throw TransferError.otherShape(peer: link.peer, slot)
        }
        let received = ReceivedSlice(description, layout)
        var asked = 0
        var due: [Range<Int>] = []
        func ask() throws {
            while due.count < Self.window, asked < layout.byteCount {
                let part = asked..<min(asked + WireLimit.chunkPayload, layout.byteCount)
                try link.send(.read(SliceRange(offset: part.lowerBound, byteCount: part.count)), flight: Self.flight)
                due.append(part)
                asked = part.upperBound
            }
        }
        try ask()
        while !due.isEmpty {
            try connection.receive(isWanted: isWanted) { header, payload in
                guard let part = due.first, header.kind == .chunk, header.flight == Self.flight,
                    payload.count == part.count
                else { throw TransferError.unexpected(peer: link.peer, header.kind) }
                due.removeFirst()
                received.write(payload, at: part.lowerBound)
                try ask()
            }
        }
        return received.weights
    }

    /// Whether a slice is described as the model has it, held as the assignment says.
    private func isShape(of slot: Slot, _ description: SliceDescription) -> Bool {
        let hidden = 0..<assignment.rowShape.hiddenSize
        let columns = assignment.model.columns(rank: slot.rank, of: assignment.tensorParallelSize)
        return isMatrix(description.gate, rows: columns, columns: hidden)
            && isMatrix(description.up, rows: columns, columns: hidden)
            && isMatrix(description.down, rows: hidden, columns: columns)
    }

    /// The dtype of what is held as stored is the sender's; FP8 has the model's blocks, or its own where it was made.
    private func isMatrix(_ matrix: SliceDescription.Matrix, rows: Range<Int>, columns: Range<Int>) -> Bool {
        guard let dtype = WeightDType(rawValue: matrix.dtype),
            held.map({ $0.dtype == dtype }) ?? (dtype != .int8 && dtype != .int4)
        else { return false }
        func isMatrix(_ block: ModelShape.Block?) -> Bool {
            matrix
                == SliceDescription.Matrix(
                    dtype: matrix.dtype, rows: rows.count, columns: columns.count, block: block,
                    rowPhase: block.map { rows.lowerBound % $0.rows } ?? 0,
                    columnPhase: block.map { columns.lowerBound % $0.columns } ?? 0)
        }
        guard dtype.isScaled else { return isMatrix(nil) }
        if dtype == .f8e4m3, let block = assignment.model.block, isMatrix(block) { return true }
        let made = SliceDescription.Matrix(
            dtype: matrix.dtype, rows: rows.count, columns: columns.count,
            block: ModelShape.Block(rows: 1, columns: HeldDType.groupColumns))
        return held != nil && matrix == made
    }

    /// Chunks asked for ahead: while one is on the way the next is being sent.
    static let window = 2
    /// Of the one slice that a connection is for.
    private static let flight: UInt64 = 1
    /// How long to wait for a place at a source that is busy.
    private static let patience = Duration.seconds(60)
    /// Seconds between two attempts: a place is free again after a transfer, which takes some tenths of one.
    private static let firstPause = 0.1
    private static let longestPause = 1.0
}
