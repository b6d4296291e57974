internal import CWire

/// One side leaves on purpose.
package struct Goodbye: Sendable, Equatable {
    package var reason: String

    package init(reason: String) {
        self.reason = reason
    }

    init(decoding payload: UnsafeRawBufferPointer) throws(ControlError) {
        self = try ProtobufCodec.goodbye.decode(payload) { (raw) throws(ControlError) in
            Goodbye(reason: try ProtobufField.text(raw.reason, field: "reason", limit: WireLimit.messageBytes))
        }
    }

    func encoded() throws(ControlError) -> [UInt8] {
        try ProtobufCodec.goodbye.encode { (raw, memory) throws(ControlError) in
            raw.reason = try memory.string(reason, field: "reason", limit: WireLimit.messageBytes)
        }
    }
}

extension ProtobufCodec<Cohort__Wire__Goodbye> {
    static var goodbye: Self {
        Self(
            kind: .goodbye, initialize: cohort__wire__goodbye__init, size: cohort__wire__goodbye__get_packed_size,
            pack: cohort__wire__goodbye__pack, unpack: cohort__wire__goodbye__unpack,
            free: cohort__wire__goodbye__free_unpacked)
    }
}
