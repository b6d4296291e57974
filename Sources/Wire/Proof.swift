internal import CWire

/// The worker's proof that it knows the secret, and what it has.
package struct Proof: Sendable, Equatable {
    package var proof: [UInt8]
    package var worker: WorkerDescription

    package init(proof: [UInt8], worker: WorkerDescription) {
        self.proof = proof
        self.worker = worker
    }

    init(decoding payload: UnsafeRawBufferPointer) throws(ControlError) {
        self = try ProtobufCodec.proof.decode(payload) { (raw) throws(ControlError) in
            Proof(
                proof: try ProtobufField.bytes(raw.proof, field: "proof", exactly: WireLimit.proofBytes),
                worker: WorkerDescription(
                    name: try ProtobufField.text(raw.name, field: "name", limit: WireLimit.nameBytes),
                    memoryBytes: try ProtobufField.count(raw.memory_bytes, field: "memory_bytes"),
                    coreCount: Int(raw.core_count),
                    kernelSet: try ProtobufField.text(
                        raw.kernel_set, field: "kernel_set", limit: WireLimit.kernelSetBytes),
                    modelPath: try ProtobufField.text(
                        raw.model_path, field: "model_path", limit: WireLimit.pathBytes),
                    modelFingerprint: try ProtobufField.bytes(
                        raw.model_fingerprint, field: "model_fingerprint", limit: WireLimit.fingerprintBytes),
                    processID: try ProtobufField.count(raw.process_id, field: "process_id")))
        }
    }

    func encoded() throws(ControlError) -> [UInt8] {
        try ProtobufCodec.proof.encode { (raw, memory) throws(ControlError) in
            raw.proof = try memory.bytes(proof, field: "proof", limit: WireLimit.proofBytes)
            raw.name = try memory.string(worker.name, field: "name", limit: WireLimit.nameBytes)
            raw.memory_bytes = UInt64(worker.memoryBytes)
            raw.core_count = UInt32(worker.coreCount)
            raw.kernel_set = try memory.string(
                worker.kernelSet, field: "kernel_set", limit: WireLimit.kernelSetBytes)
            raw.model_path = try memory.string(worker.modelPath, field: "model_path", limit: WireLimit.pathBytes)
            raw.model_fingerprint = try memory.bytes(
                worker.modelFingerprint, field: "model_fingerprint", limit: WireLimit.fingerprintBytes)
            raw.process_id = UInt64(worker.processID)
        }
    }
}

extension ProtobufCodec<Cohort__Wire__Proof> {
    static var proof: Self {
        Self(
            kind: .proof, initialize: cohort__wire__proof__init, size: cohort__wire__proof__get_packed_size,
            pack: cohort__wire__proof__pack, unpack: cohort__wire__proof__unpack,
            free: cohort__wire__proof__free_unpacked)
    }
}
