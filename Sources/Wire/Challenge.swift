internal import CWire

/// The coordinator's answer to a Hello: it proves the secret first, and asks the worker to.
package struct Challenge: Sendable, Equatable {
    package var nonce: Nonce
    package var proof: [UInt8]

    package init(nonce: Nonce, proof: [UInt8]) {
        self.nonce = nonce
        self.proof = proof
    }

    init(decoding payload: UnsafeRawBufferPointer) throws(ControlError) {
        self = try ProtobufCodec.challenge.decode(payload) { (raw) throws(ControlError) in
            Challenge(
                nonce: Nonce(
                    bytes: try ProtobufField.bytes(raw.nonce, field: "nonce", exactly: WireLimit.nonceBytes)),
                proof: try ProtobufField.bytes(raw.proof, field: "proof", exactly: WireLimit.proofBytes))
        }
    }

    func encoded() throws(ControlError) -> [UInt8] {
        try ProtobufCodec.challenge.encode { (raw, memory) throws(ControlError) in
            raw.nonce = try memory.bytes(nonce.bytes, field: "nonce", limit: WireLimit.nonceBytes)
            raw.proof = try memory.bytes(proof, field: "proof", limit: WireLimit.proofBytes)
        }
    }
}

extension ProtobufCodec<Cohort__Wire__Challenge> {
    static var challenge: Self {
        Self(
            kind: .challenge, initialize: cohort__wire__challenge__init, size: cohort__wire__challenge__get_packed_size,
            pack: cohort__wire__challenge__pack, unpack: cohort__wire__challenge__unpack,
            free: cohort__wire__challenge__free_unpacked)
    }
}
