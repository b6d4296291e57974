internal import Checkpoint
internal import Cluster
internal import Dispatcher
internal import Experts
internal import Foundation
internal import Wire

/// From a placement to what each worker is told: its seat, with its experts.
struct Seating {
    let placement: Placement
    let shape: RowShape
    let seats: [WorkerSeat]

    /// A worker before it has a place.
    struct Applicant {
        let name: String
        /// Capacity, in any unit.
        let weight: Double
        /// The checkpoint's folder on its host; nil: where the coordinator has it.
        let modelPath: String?
    }

    init(_ model: Deployment.Model, parallelism: Parallelism, applicants: [Applicant]) throws {
        let checkpoint = model.checkpoint
        let config = checkpoint.config
        guard parallelism.tensor <= config.expertIntermediateSize else {
            throw UsageError(
                "--tensor-parallel-size \(parallelism.tensor) cuts an expert's \(config.expertIntermediateSize) columns "
                    + "too fine: give \(config.expertIntermediateSize) or less")
        }
        let placement = try Placement.uniform(
            layers: model.expertLayers, experts: config.expertCount, parallelism: parallelism,
            workerWeights: applicants.map(\.weight))
        let shape = RowShape(hiddenSize: config.hiddenSize, dtype: model.exchange.onTheWire)
        let fingerprint = try checkpoint.fingerprint
        let layer = model.expertLayers.first ?? config.denseLayerCount
        let expert = try ExpertWeights(from: checkpoint, layer: layer, expert: 0)
        let folder = URL(fileURLWithPath: checkpoint.folder).path
        seats = applicants.enumerated().map { worker, applicant in
            let slots = placement.slots(of: worker)
            return WorkerSeat(
                name: applicant.name,
                assignment: Assignment(
                    epoch: UInt32(truncatingIfNeeded: placement.epoch), modelPath: applicant.modelPath ?? folder,
                    modelFingerprint: fingerprint, compute: model.processor.compute.rawValue, rowShape: shape,
                    tensorParallelSize: parallelism.tensor, maximumRows: model.maximumTokens,
                    slots: Self.groups(slots)),
                weightBytes: slots.reduce(0) { sum, slot in
                    let width = parallelism.columns(rank: slot.rank, of: expert.width).count
                    return sum + expert.byteCount / expert.width * width
                })
        }
        self.placement = placement
        self.shape = shape
    }

    private static func groups(_ slots: [Slot]) -> [Assignment.SlotGroup] {
        var experts: [Key: [Int]] = [:]
        for slot in slots { experts[Key(layer: slot.layer, rank: slot.rank), default: []].append(slot.expert) }
        return experts.sorted { ($0.key.layer, $0.key.rank) < ($1.key.layer, $1.key.rank) }.map {
            Assignment.SlotGroup(layer: $0.key.layer, rank: $0.key.rank, experts: $0.value)
        }
    }

    private struct Key: Hashable {
        let layer: Int
        let rank: Int
    }
}
