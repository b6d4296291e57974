internal import CWire

/// One side leaves on purpose.
package struct Goodbye: Sendable, Equatable {
    package var reason: String
    /// The worker was drained or removed, and should not come back by itself.
    package var isFinal: Bool

    package init(reason: String, isFinal: Bool = false) {
        self.reason = reason
        self.isFinal = isFinal
    }

    init(decoding payload: UnsafeRawBufferPointer) throws(ControlError) {
        self = try ProtobufCodec.goodbye.decode(payload) { (raw) throws(ControlError) in
            Goodbye(
                reason: try ProtobufField.text(raw.reason, field: "reason", limit: WireLimit.messageBytes),
                isFinal: raw.dismissal != 0)
        }
    }

    func encoded() throws(ControlError) -> [UInt8] {
        try ProtobufCodec.goodbye.encode { (raw, memory) throws(ControlError) in
            raw.reason = try memory.string(reason, field: "reason", limit: WireLimit.messageBytes)
            raw.dismissal = isFinal ? 1 : 0
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
