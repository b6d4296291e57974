internal import CWire

/// What a worker is to hold and how it is to compute and answer.
package struct Assignment: Sendable, Equatable {
    /// Slices `rank` of the experts `experts` of the layer `layer`.
    package struct SlotGroup: Sendable, Equatable {
        package var layer: Int
        package var rank: Int
        package var experts: [Int]

        package init(layer: Int, rank: Int, experts: [Int]) {
            self.layer = layer
            self.rank = rank
            self.experts = experts
        }
    }

    package var epoch: UInt32
    /// The coordinator's path to the checkpoint, for a worker that has none of its own.
    package var modelPath: String
    package var modelFingerprint: [UInt8]
    /// The arithmetic, by its name on the command line: "f32" or "fast".
    package var compute: String
    /// Hidden size and dtype of the rows of both directions.
    package var rowShape: RowShape
    package var tensorParallelSize: Int
    /// The most rows that one dispatch will have.
    package var maximumRows: Int
    package var slots: [SlotGroup]
    package var model: ModelShape
    /// The worker to fetch the slots from; nil: they are read from the checkpoint.
    package var source: PeerAddress?
    /// What the experts are held as, by its name on the command line; empty: as stored.
    package var expertDType: String
    /// Memory for the payloads of tensor frames, for a worker on the coordinator's host; empty: there is none.
    package var memoryPath: String

    package init(
        epoch: UInt32, modelPath: String, modelFingerprint: [UInt8], compute: String, rowShape: RowShape,
        tensorParallelSize: Int, maximumRows: Int, slots: [SlotGroup], model: ModelShape, source: PeerAddress? = nil,
        expertDType: String = "", memoryPath: String = ""
    ) {
        self.epoch = epoch
        self.modelPath = modelPath
        self.modelFingerprint = modelFingerprint
        self.compute = compute
        self.rowShape = rowShape
        self.tensorParallelSize = tensorParallelSize
        self.maximumRows = maximumRows
        self.slots = slots
        self.model = model
        self.source = source
        self.expertDType = expertDType
        self.memoryPath = memoryPath
    }
}

extension Assignment {
    /// The most answers of one dispatch.
    package var maximumPairs: Int { maximumRows * model.expertsPerToken * tensorParallelSize }

    /// Bytes of the longest dispatch.
    package var dispatchByteCount: Int {
        DispatchBody.byteCount(rows: maximumRows, pairs: maximumPairs, shape: rowShape)
    }

    /// Bytes of the longest combine.
    package var combineByteCount: Int { CombineBody.byteCount(pairs: maximumPairs, shape: rowShape) }

    init(decoding payload: UnsafeRawBufferPointer) throws(ControlError) {
        self = try ProtobufCodec.assignment.decode(payload) { (raw) throws(ControlError) in
            Assignment(
                epoch: raw.epoch,
                modelPath: try ProtobufField.text(raw.model_path, field: "model_path", limit: WireLimit.pathBytes),
                modelFingerprint: try ProtobufField.bytes(
                    raw.model_fingerprint, field: "model_fingerprint", limit: WireLimit.fingerprintBytes),
                compute: try ProtobufField.text(raw.compute, field: "compute", limit: WireLimit.nameBytes),
                rowShape: try decodedShape(of: raw),
                tensorParallelSize: try ProtobufField.count(
                    raw.tensor_parallel_size, in: 1...WireLimit.ranks, field: "tensor_parallel_size"),
                maximumRows: try ProtobufField.count(raw.maximum_rows, in: 1...WireLimit.rows, field: "maximum_rows"),
                slots: try SlotGroupCoding.decoded(raw.slots, count: raw.n_slots),
                model: try ModelShape(decoding: raw.model),
                source: try PeerAddress(host: raw.source_host, port: raw.source_port),
                expertDType: try ProtobufField.text(
                    raw.expert_dtype, field: "expert_dtype", limit: WireLimit.nameBytes),
                memoryPath: try ProtobufField.text(raw.memory_path, field: "memory_path", limit: WireLimit.pathBytes))
        }
    }

    func encoded() throws(ControlError) -> [UInt8] {
        try ProtobufCodec.assignment.encode { (raw, memory) throws(ControlError) in
            raw.epoch = epoch
            raw.model_path = try memory.string(modelPath, field: "model_path", limit: WireLimit.pathBytes)
            raw.model_fingerprint = try memory.bytes(
                modelFingerprint, field: "model_fingerprint", limit: WireLimit.fingerprintBytes)
            raw.compute = try memory.string(compute, field: "compute", limit: WireLimit.nameBytes)
            raw.wire_dtype = UInt32(rowShape.dtype.rawValue)
            raw.hidden_size = UInt32(rowShape.hiddenSize)
            raw.tensor_parallel_size = UInt32(tensorParallelSize)
            raw.maximum_rows = UInt32(maximumRows)
            (raw.n_slots, raw.slots) = try SlotGroupCoding.encoded(slots, memory)
            raw.model = memory.array([model.encoded])
            raw.source_host = try memory.string(source?.host ?? "", field: "source_host", limit: WireLimit.hostBytes)
            raw.source_port = UInt32(source?.port ?? 0)
            raw.expert_dtype = try memory.string(expertDType, field: "expert_dtype", limit: WireLimit.nameBytes)
            raw.memory_path = try memory.string(memoryPath, field: "memory_path", limit: WireLimit.pathBytes)
        }
    }
}

private func decodedShape(of raw: Cohort__Wire__Assignment) throws(ControlError) -> RowShape {
    guard let byte = UInt8(exactly: raw.wire_dtype), let dtype = WireDType(rawValue: byte) else {
        throw .outOfRange(field: "wire_dtype", value: UInt64(raw.wire_dtype))
    }
    guard (1...WireLimit.hiddenSize).contains(Int(raw.hidden_size)) else {
        throw .outOfRange(field: "hidden_size", value: UInt64(raw.hidden_size))
    }
    return RowShape(hiddenSize: Int(raw.hidden_size), dtype: dtype)
}

extension ProtobufCodec<Cohort__Wire__Assignment> {
    static var assignment: Self {
        Self(
            kind: .assignment, initialize: cohort__wire__assignment__init,
            size: cohort__wire__assignment__get_packed_size,
            pack: cohort__wire__assignment__pack, unpack: cohort__wire__assignment__unpack,
            free: cohort__wire__assignment__free_unpacked)
    }
}
