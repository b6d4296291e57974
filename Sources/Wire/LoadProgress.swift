internal import CWire

/// How far a worker is with loading its experts.
package struct LoadProgress: Sendable, Equatable {
    package var loadedBytes: Int
    package var totalBytes: Int

    package init(loadedBytes: Int, totalBytes: Int) {
        self.loadedBytes = loadedBytes
        self.totalBytes = totalBytes
    }

    init(decoding payload: UnsafeRawBufferPointer) throws(ControlError) {
        self = try ProtobufCodec.progress.decode(payload) { (raw) throws(ControlError) in
            LoadProgress(
                loadedBytes: try ProtobufField.count(raw.loaded_bytes, field: "loaded_bytes"),
                totalBytes: try ProtobufField.count(raw.total_bytes, field: "total_bytes"))
        }
    }

    func encoded() throws(ControlError) -> [UInt8] {
        try ProtobufCodec.progress.encode { (raw, _) throws(ControlError) in
            raw.loaded_bytes = UInt64(loadedBytes)
            raw.total_bytes = UInt64(totalBytes)
        }
    }
}

extension ProtobufCodec<Cohort__Wire__Progress> {
    static var progress: Self {
        Self(
            kind: .progress, initialize: cohort__wire__progress__init, size: cohort__wire__progress__get_packed_size,
            pack: cohort__wire__progress__pack, unpack: cohort__wire__progress__unpack,
            free: cohort__wire__progress__free_unpacked)
    }
}
