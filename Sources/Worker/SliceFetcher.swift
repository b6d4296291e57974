internal import Cluster
internal import Experts
internal import Foundation
internal import Kernels
internal import Transport
internal import Wire

/// Fetches experts from another worker that holds them, bit for bit as it has them, into memory of this
/// process.
struct SliceFetcher: Sendable {
    private let source: PeerAddress
    private let order: Assignment
    private let held: HeldDType?
    private let worker: WorkerDescription
    private let secret: ClusterSecret
    private let time: any TimeSource

    /// - Parameters:
    ///   - order: says what the slots look like.
    ///   - held: what experts are held as; nil: as stored.
    ///   - worker: how this worker presents itself; it must name the model's fingerprint.
    init(
        from source: PeerAddress, order: Assignment, held: HeldDType?, as worker: WorkerDescription,
        secret: ClusterSecret,
        time: any TimeSource
    ) {
        self.source = source
        self.order = order
        self.held = held
        self.worker = worker
        self.secret = secret
        self.time = time
    }

    /// - Parameter isWanted: what it denies is left out, even half-way.
    /// - Throws: `TransferError`, `TransportError`, `HandshakeError`, `ControlError`.
    func fetch(_ slots: [Slot], isWanted: (Slot) -> Bool) throws -> [FilledSlot] {
        var connection: SourceConnection?
        var filled: [FilledSlot] = []
        for (number, slot) in slots.enumerated() where isWanted(slot) {
            do {
                guard let open = try connection ?? connect({ isWanted(slot) }) else { continue }
                connection = open
                let weights = try fetch(slot, number: UInt64(number), open) { isWanted(slot) }
                filled.append(FilledSlot(slot: slot, weights: weights))
            } catch TransferError.abandoned {
                // What is still under way of it would stand between the link and the next slot.
                connection = nil
            }
        }
        return filled
    }

    /// Tries again while the source is busy with others. nil: not wanted any more.
    private func connect(_ isWanted: () -> Bool) throws -> SourceConnection? {
        let deadline = time.now() + Self.patience
        while isWanted() {
            do {
                return try SourceConnection(to: source, as: worker, secret: secret, time: time, isWanted: isWanted)
            } catch TransferError.abandoned {
                return nil
            } catch TransferError.busy where time.now() < deadline {
                Thread.sleep(forTimeInterval: Self.pause)
            }
        }
        return nil
    }

    private func fetch(
        _ slot: Slot, number: UInt64, _ connection: SourceConnection, isWanted: () -> Bool
    ) throws -> ExpertWeights {
        let link = connection.link
        let request = SliceRequest(
            layer: slot.layer, expert: slot.expert, rank: slot.rank, tensorParallelSize: order.tensorParallelSize)
        try link.send(.fetch(request), flight: number)
        let answer = try connection.receiveMessage(isWanted: isWanted)
        guard case .slice(let description) = answer.message, answer.flight == number else {
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
                try link.send(.read(SliceRange(offset: part.lowerBound, byteCount: part.count)), flight: number)
                due.append(part)
                asked = part.upperBound
            }
        }
        try ask()
        while !due.isEmpty {
            try connection.receive(isWanted: isWanted) { header, payload in
                guard let part = due.first, header.kind == .chunk, header.flight == number, payload.count == part.count
                else { throw TransferError.unexpected(peer: link.peer, header.kind) }
                due.removeFirst()
                received.write(payload, at: part.lowerBound)
                try ask()
            }
        }
        return received.weights
    }

    /// Whether a slice is described as the model has it, held as the order says.
    private func isShape(of slot: Slot, _ description: SliceDescription) -> Bool {
        let hidden = 0..<order.rowShape.hiddenSize
        let columns = order.model.columns(rank: slot.rank, of: order.tensorParallelSize)
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
        if dtype == .f8e4m3, let block = order.model.block, isMatrix(block) { return true }
        let made = SliceDescription.Matrix(
            dtype: matrix.dtype, rows: rows.count, columns: columns.count,
            block: ModelShape.Block(rows: 1, columns: HeldDType.groupColumns))
        return held != nil && matrix == made
    }

    /// Chunks asked for ahead: while one is on the way the next is being sent.
    static let window = 2
    /// How long to wait for a place at a source that is busy.
    private static let patience = Duration.seconds(60)
    private static let pause = 0.1
}
