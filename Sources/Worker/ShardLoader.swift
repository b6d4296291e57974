internal import Checkpoint
internal import Cluster
internal import Experts
internal import Kernels
internal import Synchronization

/// Brings experts into memory, straight from the published files: maps them and reads every page, or converts them, so
/// that what is called ready is ready.
struct ShardLoader: Sendable {
    private let checkpoint: Checkpoint
    private let team: ThreadTeam
    private let tensorParallelSize: Int
    private let dtype: HeldDType?

    /// - Parameter dtype: what experts are held as; nil: as stored.
    init(checkpoint: Checkpoint, team: ThreadTeam, tensorParallelSize: Int, as dtype: HeldDType?) {
        self.checkpoint = checkpoint
        self.team = team
        self.tensorParallelSize = tensorParallelSize
        self.dtype = dtype
    }

    /// - Parameters:
    ///   - slots: of layers, experts and ranks that the model has.
    ///   - isWanted: asked before a slot is begun; what it denies is left out.
    ///   - progress: bytes held so far; called on the calling thread, after each batch of slots.
    /// - Throws: `CheckpointError`, and what `progress` throws.
    func load(
        _ slots: [Slot], isWanted: (Slot) -> Bool = { _ in true }, progress: (Int) throws -> Void = { _ in }
    ) throws -> [FilledSlot] {
        var filled: [FilledSlot] = []
        var loaded = 0
        for batch in stride(from: 0, to: slots.count, by: Self.batch) {
            let part = slots[batch..<min(batch + Self.batch, slots.count)].filter(isWanted)
            if tensorParallelSize == 1 {
                try ExpertWeights.readAhead(part.map { ($0.layer, $0.expert) }, of: checkpoint)
            }
            let experts = bring(try part.map(map))
            filled += zip(part, experts).map { FilledSlot(slot: $0, weights: $1) }
            loaded += experts.reduce(0) { $0 + $1.byteCount }
            try progress(loaded)
        }
        return filled
    }

    /// Bytes that slots will take.
    func byteCount(of slots: [Slot]) throws -> Int {
        guard let first = slots.first else { return 0 }
        let expert = try ExpertWeights(from: checkpoint, layer: first.layer, expert: first.expert)
        return try slots.reduce(0) { sum, slot in
            sum + expert.byteCount(width: try width(slot).count, as: dtype)
        }
    }

    private func width(_ slot: Slot) throws -> Range<Int> {
        let parallelism = try Parallelism(tensor: tensorParallelSize, pipeline: 1, workers: tensorParallelSize)
        return parallelism.columns(rank: slot.rank, of: checkpoint.config.expertIntermediateSize)
    }

    /// What a slice needs of the disk is only asked for, except its part of `down`, which is copied.
    private func map(_ slot: Slot) throws -> ExpertWeights {
        try ExpertWeights(from: checkpoint, layer: slot.layer, expert: slot.expert, width: try width(slot))
    }

    /// Has what was mapped in memory, as it is to be held.
    private func bring(_ experts: [ExpertWeights]) -> [ExpertWeights] {
        let held =
            dtype.map {
                ExpertWeights.converted(experts, to: $0, by: WeightConverter(team: team), lettingGoOf: checkpoint)
            } ?? experts
        // Among converted ones are those that are stored as they are to be held: nobody has touched them yet.
        read(held)
        return held
    }

    /// Touches one byte of every page, on all threads.
    private func read(_ experts: [ExpertWeights]) {
        let matrices = experts.flatMap { [$0.gate, $0.up, $0.down] }
        let sum = Atomic<UInt64>(0)
        team.forEach(matrices.count) { index in
            let matrix = matrices[index]
            let bytes = matrix.span
            var partial: UInt64 = 0
            for offset in stride(from: 0, to: bytes, by: Self.pageByteCount) {
                partial &+= UInt64(matrix.weights.load(fromByteOffset: offset, as: UInt8.self))
            }
            partial &+= UInt64(matrix.weights.load(fromByteOffset: bytes - 1, as: UInt8.self))
            sum.wrappingAdd(partial, ordering: .relaxed)
        }
    }

    /// Slots between two reports of progress: about 1 GB of R1's experts.
    private static let batch = 24
    /// The smallest page of the machines in question.
    private static let pageByteCount = 4096
}
