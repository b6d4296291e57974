internal import CWire

/// Worker to worker: a part of the slice that was fetched last, as `SliceLayout` lays it out.
package struct SliceRange: Sendable, Equatable {
    package var offset: Int
    package var byteCount: Int

    package init(offset: Int, byteCount: Int) {
        self.offset = offset
        self.byteCount = byteCount
    }

    init(decoding payload: UnsafeRawBufferPointer) throws(ControlError) {
        self = try ProtobufCodec.read.decode(payload) { (raw) throws(ControlError) in
            SliceRange(
                offset: try ProtobufField.count(raw.offset, field: "offset"),
                byteCount: try ProtobufField.count(raw.byte_count, field: "byte_count"))
        }
    }

    func encoded() throws(ControlError) -> [UInt8] {
        try ProtobufCodec.read.encode { (raw, _) throws(ControlError) in
            raw.offset = UInt64(offset)
            raw.byte_count = UInt64(byteCount)
        }
    }
}

extension ProtobufCodec<Cohort__Wire__Read> {
    static var read: Self {
        Self(
            kind: .read, initialize: cohort__wire__read__init, size: cohort__wire__read__get_packed_size,
            pack: cohort__wire__read__pack, unpack: cohort__wire__read__unpack,
            free: cohort__wire__read__free_unpacked)
    }
}
