internal import CWire

/// A worker holds its experts and can serve.
package struct ReadyReport: Sendable, Equatable {
    package var loadedBytes: Int
    /// Resident memory of the worker's process.
    package var residentBytes: Int
    /// How many (layer, expert, rank) slots it holds.
    package var expertSlots: Int
    /// Whether it can fill slots from a checkpoint of its own.
    package var readsCheckpoint: Bool
    /// The port at which other workers may fetch experts from it; 0: none.
    package var peerPort: Int

    package init(
        loadedBytes: Int, residentBytes: Int, expertSlots: Int, readsCheckpoint: Bool = false, peerPort: Int = 0
    ) {
        self.loadedBytes = loadedBytes
        self.residentBytes = residentBytes
        self.expertSlots = expertSlots
        self.readsCheckpoint = readsCheckpoint
        self.peerPort = peerPort
    }

    init(decoding payload: UnsafeRawBufferPointer) throws(ControlError) {
        self = try ProtobufCodec.ready.decode(payload) { (raw) throws(ControlError) in
            ReadyReport(
                loadedBytes: try ProtobufField.count(raw.loaded_bytes, field: "loaded_bytes"),
                residentBytes: try ProtobufField.count(raw.resident_bytes, field: "resident_bytes"),
                expertSlots: try ProtobufField.count(raw.expert_slots, field: "expert_slots"),
                readsCheckpoint: raw.reads_checkpoint != 0,
                peerPort: try ProtobufField.port(raw.peer_port, field: "peer_port"))
        }
    }

    func encoded() throws(ControlError) -> [UInt8] {
        try ProtobufCodec.ready.encode { (raw, _) throws(ControlError) in
            raw.loaded_bytes = UInt64(loadedBytes)
            raw.resident_bytes = UInt64(residentBytes)
            raw.expert_slots = UInt64(expertSlots)
            raw.reads_checkpoint = readsCheckpoint ? 1 : 0
            raw.peer_port = UInt32(peerPort)
        }
    }
}

extension ProtobufCodec<Cohort__Wire__Ready> {
    static var ready: Self {
        Self(
            kind: .ready, initialize: cohort__wire__ready__init, size: cohort__wire__ready__get_packed_size,
            pack: cohort__wire__ready__pack, unpack: cohort__wire__ready__unpack,
            free: cohort__wire__ready__free_unpacked)
    }
}
