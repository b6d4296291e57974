internal import Checkpoint
internal import Cluster
internal import Experts
internal import Foundation
internal import Kernels
internal import Synchronization
internal import Wire

/// Brings a worker's experts into memory, straight from the published files: maps them and reads every page, so that
/// what is called ready is ready.
struct ShardLoader {
    private let checkpoint: Checkpoint
    private let team: ThreadTeam

    init(checkpoint: Checkpoint, team: ThreadTeam) {
        self.checkpoint = checkpoint
        self.team = team
    }

    /// - Parameter progress: bytes held so far and in all; called on the calling thread, some times a second.
    /// - Throws: `CheckpointError`; `WorkerError` when the assignment does not fit the checkpoint.
    func load(_ assignment: Assignment, progress: (Int, Int) throws -> Void) throws -> ExpertShard {
        let slots = try self.slots(of: assignment)
        let ranks = assignment.tensorParallelSize
        let count = checkpoint.config.expertCount
        var held: [Int: [ExpertWeights?]] = [:]
        var loaded = 0
        let total = try totalBytes(of: slots, ranks: ranks)
        for batch in stride(from: 0, to: slots.count, by: Self.batch) {
            let part = slots[batch..<min(batch + Self.batch, slots.count)]
            if ranks == 1 { try ExpertWeights.readAhead(part.map { ($0.layer, $0.expert) }, of: checkpoint) }
            let experts = try map(part, ranks: ranks)
            read(experts)
            for (slot, expert) in zip(part, experts) {
                held[slot.layer, default: Array(repeating: nil, count: count * ranks)][
                    slot.expert * ranks + slot.rank] =
                    expert
                loaded += expert.byteCount
            }
            try progress(loaded, total)
        }
        return ExpertShard(expertCount: count, tensorParallelSize: ranks, holding: held)
    }

    private func slots(of assignment: Assignment) throws -> [Slot] {
        let config = checkpoint.config
        let layers = config.denseLayerCount..<config.layerCount + config.mtpLayerCount
        guard 1...config.expertIntermediateSize ~= assignment.tensorParallelSize else {
            throw WorkerError.badAssignment(
                "\(assignment.tensorParallelSize) slices of \(config.expertIntermediateSize) columns")
        }
        guard assignment.rowShape.hiddenSize == config.hiddenSize else {
            throw WorkerError.badAssignment(
                "rows of \(assignment.rowShape.hiddenSize) values for a hidden size of \(config.hiddenSize)")
        }
        return try assignment.slots.flatMap { group in
            guard layers ~= group.layer, 0..<assignment.tensorParallelSize ~= group.rank else {
                throw WorkerError.badAssignment("slice \(group.rank) of layer \(group.layer)")
            }
            return try group.experts.map { expert in
                guard 0..<config.expertCount ~= expert else {
                    throw WorkerError.badAssignment("expert \(expert) of \(config.expertCount)")
                }
                return Slot(layer: group.layer, expert: expert, rank: group.rank)
            }
        }
    }

    private func width(_ slot: Slot, ranks: Int) throws -> Range<Int> {
        let parallelism = try Parallelism(tensor: ranks, pipeline: 1, workers: ranks)
        return parallelism.columns(rank: slot.rank, of: checkpoint.config.expertIntermediateSize)
    }

    private func totalBytes(of slots: [Slot], ranks: Int) throws -> Int {
        guard let first = slots.first else { return 0 }
        let expert = try ExpertWeights(from: checkpoint, layer: first.layer, expert: first.expert)
        return try slots.reduce(0) { sum, slot in
            sum + expert.byteCount / expert.width * (try width(slot, ranks: ranks).count)
        }
    }

    private func map(_ slots: ArraySlice<Slot>, ranks: Int) throws -> [ExpertWeights] {
        try slots.map { slot in
            try ExpertWeights(
                from: checkpoint, layer: slot.layer, expert: slot.expert, width: try width(slot, ranks: ranks))
        }
    }

    /// Touches one byte of every page, on all threads.
    private func read(_ experts: [ExpertWeights]) {
        let matrices = experts.flatMap { [$0.gate, $0.up, $0.down] }
        let sum = Atomic<UInt64>(0)
        team.forEach(matrices.count) { index in
            let matrix = matrices[index]
            let bytes = ((matrix.rows - 1) * matrix.rowStride + matrix.columns) * matrix.dtype.byteSize
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
