internal import CWire

/// Slots that a worker need not hold any more.
package struct SlotRelease: Sendable, Equatable {
    package var slots: [Assignment.SlotGroup]

    package init(slots: [Assignment.SlotGroup]) {
        self.slots = slots
    }

    init(decoding payload: UnsafeRawBufferPointer) throws(ControlError) {
        self = try ProtobufCodec.release.decode(payload) { (raw) throws(ControlError) in
            SlotRelease(slots: try SlotGroupCoding.decoded(raw.slots, count: raw.n_slots))
        }
    }

    func encoded() throws(ControlError) -> [UInt8] {
        try ProtobufCodec.release.encode { (raw, memory) throws(ControlError) in
            (raw.n_slots, raw.slots) = try SlotGroupCoding.encoded(slots, memory)
        }
    }
}

extension ProtobufCodec<Cohort__Wire__Release> {
    static var release: Self {
        Self(
            kind: .release, initialize: cohort__wire__release__init, size: cohort__wire__release__get_packed_size,
            pack: cohort__wire__release__pack, unpack: cohort__wire__release__unpack,
            free: cohort__wire__release__free_unpacked)
    }
}
