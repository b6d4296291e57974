internal import CWire

/// Slot groups as they stand in protobuf messages.
enum SlotGroupCoding {
    typealias RawGroups = UnsafeMutablePointer<UnsafeMutablePointer<Cohort__Wire__SlotGroup>?>

    static func encoded(
        _ slots: [Assignment.SlotGroup], _ memory: ProtobufMemory
    ) throws(ControlError) -> (count: Int, groups: RawGroups?) {
        guard slots.count <= WireLimit.slotGroups else {
            throw .tooLong(field: "slots", count: slots.count, limit: WireLimit.slotGroups)
        }
        var pointers: [UnsafeMutablePointer<Cohort__Wire__SlotGroup>?] = []
        for group in slots {
            guard group.experts.count <= WireLimit.expertsPerGroup else {
                throw .tooLong(field: "experts", count: group.experts.count, limit: WireLimit.expertsPerGroup)
            }
            var raw = Cohort__Wire__SlotGroup()
            cohort__wire__slot_group__init(&raw)
            raw.layer = UInt32(group.layer)
            raw.rank = UInt32(group.rank)
            raw.n_experts = group.experts.count
            raw.experts = memory.array(group.experts.map { UInt32($0) })
            pointers.append(memory.array([raw]))
        }
        return (pointers.count, memory.array(pointers))
    }

    static func decoded(_ groups: RawGroups?, count: Int) throws(ControlError) -> [Assignment.SlotGroup] {
        guard count <= WireLimit.slotGroups else {
            throw .tooLong(field: "slots", count: count, limit: WireLimit.slotGroups)
        }
        var slots: [Assignment.SlotGroup] = []
        for group in UnsafeBufferPointer(start: groups, count: count).compactMap({ $0?.pointee }) {
            guard group.n_experts <= WireLimit.expertsPerGroup else {
                throw .tooLong(field: "experts", count: group.n_experts, limit: WireLimit.expertsPerGroup)
            }
            let experts = UnsafeBufferPointer(start: group.experts, count: group.n_experts).map { Int($0) }
            slots.append(Assignment.SlotGroup(layer: Int(group.layer), rank: Int(group.rank), experts: experts))
        }
        return slots
    }
}
