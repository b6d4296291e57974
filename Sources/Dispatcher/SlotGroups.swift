internal import Cluster
internal import Wire

extension Assignment.SlotGroup {
    /// Slots as they stand in messages: by layer and rank.
    static func groups(of slots: [Slot]) -> [Assignment.SlotGroup] {
        var experts: [Key: [Int]] = [:]
        for slot in slots { experts[Key(layer: slot.layer, rank: slot.rank), default: []].append(slot.expert) }
        return experts.sorted { ($0.key.layer, $0.key.rank) < ($1.key.layer, $1.key.rank) }.map {
            Assignment.SlotGroup(layer: $0.key.layer, rank: $0.key.rank, experts: $0.value.sorted())
        }
    }

    private struct Key: Hashable {
        let layer: Int
        let rank: Int
    }
}
