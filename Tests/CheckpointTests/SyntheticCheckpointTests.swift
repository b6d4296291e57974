internal import Checkpoint
internal import Foundation
internal import Kernels
internal import Synchronization
internal import Testing

@Suite struct SyntheticCheckpointTests {
    @Test("the same seed gives the same bytes with any number of threads, another seed others")
    func determinism() throws {
        let one = try Written(seed: 5, threads: 1)
        let three = try Written(seed: 5, threads: 3)
        let other = try Written(seed: 6, threads: 3)
        #expect(try one.output.names() == three.output.names())
        for name in try one.output.names() {
            #expect(try one.output.read(name) == three.output.read(name), "\(name)")
        }
        let shard = "model-00001-of-000001.safetensors"
        #expect(try one.output.read(shard) != other.output.read(shard))
    }

    @Test(
        "what is written opens and has every tensor of its config",
        arguments: [
            (SampleConfig.v3, SyntheticCheckpoint.Format?.none), (.v3, .bf16), (.v2, .fp8), (.v2, nil),
            (.v3.setting(["tie_word_embeddings": "true", "q_lora_rank": "null"]), .fp8),
        ])
    func validity(config: SampleConfig, format: SyntheticCheckpoint.Format?) throws {
        let written = try Written(config: config, format: format)
        let checkpoint = try Checkpoint(folder: written.output.path)
        let layout = ModelLayout(checkpoint.config)
        try checkpoint.validate(layout)
        #expect(checkpoint.config == written.synthetic.config)
        #expect(checkpoint.tensorNames.count == layout.tensors.count)
        #expect(
            (checkpoint.config.quantization != nil)
                == (format == .fp8 || (format == nil && config.members["quantization_config"] != nil)))
        #expect(checkpoint.holdsMTP == (layout.config.mtpLayerCount > 0))
        let block = checkpoint.config.quantization
        #expect(
            block == nil
                || block
                    == (config.members["quantization_config"] == nil ? .published : BlockShape(rows: 16, columns: 32))
        )
    }

    @Test("FP8 weights have the spread of their role, block by block different, and no NaN")
    func spread() throws {
        let config = SampleConfig.v3.setting(["hidden_size": "512", "num_hidden_layers": "2"])
        let written = try Written(config: config)
        let checkpoint = try Checkpoint(folder: written.output.path)
        defer { withExtendedLifetime(written) {} }
        let names = LayerTensorNames(layer: 0).dense
        let matrix = try checkpoint.matrix(names.gate, rows: 40, columns: 512)
        let values = Self.values(matrix)
        #expect(values.allSatisfy { $0.isFinite })
        let deviation = Self.deviation(values)
        #expect(abs(deviation / (1.3 / 512.0.squareRoot()) - 1) < 0.3)
        let scales = try #require(matrix.scales)
        #expect(Set((0..<3 * 16).map { scales.values[$0] }).count == 48)
        let embedding = try checkpoint.matrix(TensorName.embedding, rows: 96, columns: 512)
        #expect(abs(Self.deviation(Self.values(embedding)) - 1) < 0.02)
        let norm = try checkpoint.vector(TensorName.finalNorm, count: 512)
        #expect(norm.allSatisfy { $0 > 0.3 && $0 < 3.5 } && Set(norm).count > 50)
        let bias = try checkpoint.vector(LayerTensorNames(layer: 1).routerBias, count: 8)
        #expect(Set(bias).count == 8 && bias.allSatisfy { abs($0) < 0.3 })
    }

    @Test("tensors larger than what a thread makes at a time are random to their end, and no two are the same")
    func largeTensors() throws {
        let config = SampleConfig.v2.setting(["vocab_size": "50001"])
        let written = try Written(config: config)
        let checkpoint = try Checkpoint(folder: written.output.path)
        defer { withExtendedLifetime(written) {} }
        let embedding = try checkpoint.matrix(TensorName.embedding, rows: 50_001, columns: 48)
        let rows = [0, 1, 25_000, 43_689, 43_690, 43_691, 50_000].map {
            Self.values(embedding.slice(rows: $0..<$0 + 1))
        }
        #expect(Set(rows).count == rows.count)
        #expect(rows.allSatisfy { abs(Self.deviation($0) - 1) < 0.5 })
        let names = LayerTensorNames(layer: 1).sharedExpert
        let gate = Self.values(try checkpoint.matrix(names.gate, rows: 40, columns: 48))
        #expect(gate != Self.values(try checkpoint.matrix(names.up, rows: 40, columns: 48)))
    }

    @Test("the rows of end tokens in the head are small, and MTP layers repeat embedding and head")
    func heads() throws {
        let config = SampleConfig.v3.setting(["eos_token_id": "[1, 95]"])
        let written = try Written(config: config)
        let checkpoint = try Checkpoint(folder: written.output.path)
        defer { withExtendedLifetime(written) {} }
        let head = try checkpoint.matrix(TensorName.head, rows: 96, columns: 48)
        let deviations = (0..<96).map { Self.deviation(Self.values(head.slice(rows: $0..<$0 + 1))) }
        #expect(deviations[1] < 0.04 && deviations[95] < 0.04)
        #expect(deviations.indices.filter { deviations[$0] < 0.2 } == [1, 95])
        let names = LayerTensorNames(layer: 3)
        #expect(Self.values(try checkpoint.matrix(names.mtpHead, rows: 96, columns: 48)) == Self.values(head))
        let embedding = try checkpoint.matrix(TensorName.embedding, rows: 96, columns: 48)
        #expect(Self.values(try checkpoint.matrix(names.mtpEmbedding, rows: 96, columns: 48)) == Self.values(embedding))
    }

    @Test("a folder that is not empty is refused and left as it was")
    func occupied() throws {
        let written = try Written()
        let before = try written.output.names()
        let error = #expect(throws: CheckpointError.self) {
            try written.synthetic.write(to: written.output.path, threads: 1)
        }
        #expect(error?.description.contains("not empty") == true)
        #expect(try written.output.names() == before)
        #expect(!before.contains { $0.hasSuffix(".partial") })
    }

    @Test("a place that cannot be written to is named")
    func unwritable() throws {
        let written = try Written()
        let path = written.output.file("config.json") + "/inside"
        let error = #expect(throws: CheckpointError.self) { try written.synthetic.write(to: path, threads: 1) }
        #expect(error?.kind == .unwritable && error?.file == path)
    }

    @Test("progress grows to the whole")
    func progress() throws {
        let reports = Mutex<[Int]>([])
        let written = try Written()
        let output = try TemporaryFolder()
        try written.synthetic.write(to: output.path, threads: 2) { done, total in
            #expect(total == written.synthetic.layout.byteCount)
            reports.withLock { $0.append(done) }
        }
        let seen = reports.withLock { $0 }
        #expect(seen == seen.sorted() && seen.last == written.synthetic.layout.byteCount)
    }

    @Test("the fingerprint is the same for the same model and tells seeds and configs apart")
    func fingerprint() throws {
        func fingerprint(_ written: Written) throws -> [UInt8] {
            defer { withExtendedLifetime(written) {} }
            return try Checkpoint(folder: written.output.path).fingerprint
        }
        let first = try fingerprint(Written())
        #expect(first.count == 32)
        #expect(try fingerprint(Written()) == first)
        #expect(try fingerprint(Written(seed: 9)) != first)
        let scaled = SampleConfig.v3.setting(["routed_scaling_factor": "2.6"])
        #expect(try fingerprint(Written(config: scaled)) != first)
    }

    @Test("validation names the first tensor that does not fit")
    func validation() throws {
        let written = try Written()
        let checkpoint = try Checkpoint(folder: written.output.path)
        let wider = ModelLayout(try SampleConfig.v3.setting(["kv_lora_rank": "18"]).parsed())
        let error = #expect(throws: CheckpointError.self) { try checkpoint.validate(wider) }
        #expect(error?.item == "model.layers.0.self_attn.kv_a_proj_with_mqa.weight")
        let longer = ModelLayout(try SampleConfig.v3.setting(["num_nextn_predict_layers": "2"]).parsed())
        #expect(throws: CheckpointError.self) { try checkpoint.validate(longer) }
        try checkpoint.validate(ModelLayout(written.synthetic.config, includesMTP: false))
    }

    /// A checkpoint written for one test.
    private final class Written: Sendable {
        let synthetic: SyntheticCheckpoint
        nonisolated(unsafe) let output: TemporaryFolder

        init(
            config: SampleConfig = .v3, format: SyntheticCheckpoint.Format? = nil, seed: UInt64 = 5, threads: Int = 2
        ) throws {
            let source = try TemporaryFolder()
            output = try TemporaryFolder()
            try source.write(config.json, "config.json")
            synthetic = try SyntheticCheckpoint(configFile: source.file("config.json"), format: format, seed: seed)
            try synthetic.write(to: output.path, threads: threads)
        }
    }

    /// The numbers of a bf16 or FP8 matrix, row by row.
    private static func values(_ matrix: WeightMatrix) -> [Double] {
        (0..<matrix.rows).flatMap { row in
            (0..<matrix.columns).map { column in
                let element = row * matrix.rowStride + column
                guard let scales = matrix.scales else {
                    let bits = matrix.weights.loadUnaligned(fromByteOffset: element * 2, as: UInt16.self)
                    return Double(Float(bitPattern: UInt32(bits) << 16))
                }
                let scale = scales.values[
                    row / scales.blockRows * scales.stride + column / scales.blockColumns]
                return e4m3(matrix.weights.load(fromByteOffset: element, as: UInt8.self)) * Double(scale)
            }
        }
    }

    private static func e4m3(_ code: UInt8) -> Double {
        if code & 0x7F == 0x7F { return .nan }
        let exponent = Int(code >> 3 & 15)
        let significand = exponent == 0 ? Double(code & 7) : Double(8 + (code & 7))
        return (code & 0x80 == 0 ? 1 : -1) * significand * pow(2, Double(max(exponent, 1) - 10))
    }

    private static func deviation(_ values: [Double]) -> Double {
        (values.map { $0 * $0 }.reduce(0, +) / Double(values.count)).squareRoot()
    }
}
