internal import CWire

/// Worker to worker: describe slice `rank` of an expert, and give parts of it to the reads that follow.
package struct SliceRequest: Sendable, Equatable {
    package var layer: Int
    package var expert: Int
    package var rank: Int
    /// How many slices the asking side cuts experts into.
    package var tensorParallelSize: Int

    package init(layer: Int, expert: Int, rank: Int, tensorParallelSize: Int) {
        self.layer = layer
        self.expert = expert
        self.rank = rank
        self.tensorParallelSize = tensorParallelSize
    }

    init(decoding payload: UnsafeRawBufferPointer) throws(ControlError) {
        self = try ProtobufCodec.fetch.decode(payload) { (raw) throws(ControlError) in
            SliceRequest(
                layer: Int(raw.layer), expert: Int(raw.expert), rank: Int(raw.rank),
                tensorParallelSize: Int(raw.tensor_parallel_size))
        }
    }

    func encoded() throws(ControlError) -> [UInt8] {
        try ProtobufCodec.fetch.encode { (raw, _) throws(ControlError) in
            raw.layer = UInt32(layer)
            raw.expert = UInt32(expert)
            raw.rank = UInt32(rank)
            raw.tensor_parallel_size = UInt32(tensorParallelSize)
        }
    }
}

extension ProtobufCodec<Cohort__Wire__Fetch> {
    static var fetch: Self {
        Self(
            kind: .fetch, initialize: cohort__wire__fetch__init, size: cohort__wire__fetch__get_packed_size,
            pack: cohort__wire__fetch__pack, unpack: cohort__wire__fetch__unpack,
            free: cohort__wire__fetch__free_unpacked)
    }
}
