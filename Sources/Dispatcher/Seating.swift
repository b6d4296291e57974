package import Checkpoint
package import Cluster
package import Experts
internal import Foundation
package import Kernels
package import Wire

/// From a placement to what each worker is told: its seat, with its experts.
package struct Seating {
    /// A worker before it has a place.
    package struct Applicant: Sendable {
        package let name: String
        /// The checkpoint's folder on its host; nil: where the coordinator has it.
        package let modelPath: String?
        /// Bytes that its experts may take; nil: what it offers.
        package let memoryBytes: Int?

        package init(name: String, modelPath: String? = nil, memoryBytes: Int? = nil) {
            self.name = name
            self.modelPath = modelPath
            self.memoryBytes = memoryBytes
        }
    }

    package let placement: Placement
    package let shape: RowShape
    /// By the placement's worker index.
    package let seats: [WorkerSeat]
    /// What a worker is told that joins later: everything but slots.
    package let welcome: Assignment
    /// [tensor] bytes of a slice of an expert.
    package let sliceBytes: [Int]

    /// - Parameters:
    ///   - applicants: by the placement's worker index.
    ///   - maximumRows: the most rows of one dispatch.
    ///   - expertDType: what experts are held as; nil: as stored.
    /// - Throws: `CheckpointError` for any tensor of the model, also where only a worker would come upon it;
    ///   `PlanError` when experts are cut into more slices than they have columns.
    package init(
        _ checkpoint: Checkpoint, placement: Placement, compute: Compute, exchange: ExchangeDType, maximumRows: Int,
        expertDType: HeldDType? = nil, applicants: [Applicant]
    ) throws {
        let config = checkpoint.config
        let parallelism = placement.parallelism
        guard parallelism.tensor <= config.expertIntermediateSize else {
            throw PlanError.slicesTooThin(tensor: parallelism.tensor, width: config.expertIntermediateSize)
        }
        let needsMTP = placement.layers.contains { $0 >= config.layerCount }
        try checkpoint.validate(ModelLayout(config, includesMTP: needsMTP))
        let shape = RowShape(hiddenSize: config.hiddenSize, dtype: exchange.onTheWire)
        let fingerprint = try checkpoint.fingerprint
        let folder = URL(fileURLWithPath: checkpoint.folder).path
        let sliceBytes = try Self.sliceBytes(checkpoint, placement, as: expertDType)
        let model = ModelShape(
            expertCount: config.expertCount, expertsPerToken: config.expertsPerToken,
            expertWidth: config.expertIntermediateSize,
            layers: config.denseLayerCount..<config.layerCount + config.mtpLayerCount,
            block: config.quantization.map { ModelShape.Block(rows: $0.rows, columns: $0.columns) })
        let welcome = Assignment(
            epoch: placement.epoch, modelPath: folder, modelFingerprint: fingerprint, compute: compute.rawValue,
            rowShape: shape, tensorParallelSize: parallelism.tensor, maximumRows: maximumRows, slots: [], model: model,
            expertDType: expertDType?.rawValue ?? "")
        seats = applicants.enumerated().map { worker, applicant in
            let slots = placement.slots(of: worker)
            var assignment = welcome
            assignment.modelPath = applicant.modelPath ?? folder
            assignment.slots = Assignment.SlotGroup.groups(of: slots)
            return WorkerSeat(
                name: applicant.name, assignment: assignment,
                weightBytes: slots.reduce(0) { $0 + sliceBytes[$1.rank] }, memoryLimit: applicant.memoryBytes)
        }
        self.welcome = welcome
        self.sliceBytes = sliceBytes
        self.placement = placement
        self.shape = shape
    }

    /// [tensor] bytes of a slice of an expert.
    /// - Parameter held: what experts are held as; nil: as stored.
    package static func sliceBytes(
        _ checkpoint: Checkpoint, _ placement: Placement, as held: HeldDType? = nil
    ) throws -> [Int] {
        let expert = try ExpertWeights(from: checkpoint, layer: placement.layers[0], expert: 0)
        let parallelism = placement.parallelism
        return (0..<parallelism.tensor).map { rank in
            expert.byteCount(width: parallelism.columns(rank: rank, of: expert.width).count, as: held)
        }
    }

    /// The control plane of a cluster in which everybody has their seat.
    /// - Parameters:
    ///   - ready: by the placement's worker index.
    ///   - statistics: what is known of the load; nil: nothing.
    package func control(
        _ ready: [ReadyWorker], statistics: LoadStatistics?, settings: ControlPlane.Settings, at now: Instant
    ) -> ControlPlane {
        let members = ready.enumerated().map { index, worker in
            Member(
                name: worker.seat.name, index: index,
                stage: placement.stages.first { $0.workers.contains(index) }?.index ?? 0, state: .ready,
                offer: Member.Offer(
                    slots: max(
                        WorkerCapacity.slots(memoryBytes: worker.description.memoryBytes, sliceBytes: sliceBytes),
                        worker.seat.slotCount),
                    readsCheckpoint: worker.report.readsCheckpoint))
        }
        let seconds = now.sinceOrigin / .seconds(1)
        return ControlPlane(
            placement: placement, members: members, sliceBytes: sliceBytes,
            statistics: statistics
                ?? LoadStatistics(layers: placement.layers, experts: placement.expertCount, seconds: seconds),
            settings: settings, at: now.sinceOrigin)
    }
}
