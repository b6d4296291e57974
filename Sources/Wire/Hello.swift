internal import CWire

/// The worker's first frame: who it is and which protocol it speaks. Proves nothing yet.
package struct Hello: Sendable, Equatable {
    package var protocolVersion: Int
    package var name: String
    package var nonce: Nonce

    package init(protocolVersion: Int, name: String, nonce: Nonce) {
        self.protocolVersion = protocolVersion
        self.name = name
        self.nonce = nonce
    }

    init(decoding payload: UnsafeRawBufferPointer) throws(ControlError) {
        self = try ProtobufCodec.hello.decode(payload) { (raw) throws(ControlError) in
            Hello(
                protocolVersion: Int(raw.protocol_version),
                name: try ProtobufField.text(raw.name, field: "name", limit: WireLimit.nameBytes),
                nonce: Nonce(
                    bytes: try ProtobufField.bytes(raw.nonce, field: "nonce", exactly: WireLimit.nonceBytes)))
        }
    }

    func encoded() throws(ControlError) -> [UInt8] {
        try ProtobufCodec.hello.encode { (raw, memory) throws(ControlError) in
            raw.protocol_version = UInt32(protocolVersion)
            raw.name = try memory.string(name, field: "name", limit: WireLimit.nameBytes)
            raw.nonce = try memory.bytes(nonce.bytes, field: "nonce", limit: WireLimit.nonceBytes)
        }
    }
}

extension ProtobufCodec<Cohort__Wire__Hello> {
    static var hello: Self {
        Self(
            kind: .hello, initialize: cohort__wire__hello__init, size: cohort__wire__hello__get_packed_size,
            pack: cohort__wire__hello__pack, unpack: cohort__wire__hello__unpack,
            free: cohort__wire__hello__free_unpacked)
    }
}
