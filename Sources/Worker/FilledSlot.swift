internal import Cluster
internal import Experts

/// A slot with its weights in memory.
struct FilledSlot: Sendable {
    let slot: Slot
    let weights: ExpertWeights
}
