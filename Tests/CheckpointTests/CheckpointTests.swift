internal import Checkpoint
internal import Foundation
internal import Kernels
internal import Testing

@Suite struct CheckpointTests {
    @Test("plain matrices and vectors of every dtype are found, at any alignment")
    func dtypes() throws {
        let folder = try folder(shards: [
            "model.safetensors": [
                StoredTensor(name: "one", dtype: "U8", shape: [1], bytes: [9]),
                .f32("f32", [2, 2], [1, -2, 3.5, 4]), .sixteenBits("BF16", "bf16", [1, 2], [0x3F80, 0xC020]),
                .sixteenBits("F16", "f16", [2], [0x3C00, 0xC100]), .sixteenBits("BF16", "v", [2], [0x3F80, 0xC020]),
                .f32("w", [1], [7]),
            ]
        ])
        let checkpoint = try Checkpoint(folder: folder.path)
        let matrix = try checkpoint.matrix("f32", rows: 2, columns: 2)
        #expect(matrix.dtype == .f32 && matrix.rowStride == 2 && matrix.scales == nil)
        #expect(UInt(bitPattern: matrix.weights) % 4 != 0)
        #expect(matrix.weights.loadUnaligned(fromByteOffset: 8, as: Float.self) == 3.5)
        #expect(try checkpoint.matrix("bf16", rows: 1, columns: 2).dtype == .bf16)
        #expect(try checkpoint.vector("f16", count: 2) == [1, -2.5])
        #expect(try checkpoint.vector("v", count: 2) == [1, -2.5])
        #expect(try checkpoint.vector("w", count: 1) == [7])
        #expect(checkpoint.contains("w") && !checkpoint.contains("x"))
        #expect(checkpoint.shards == ["model.safetensors"])
    }

    @Test("an FP8 weight and its scales are found in different shards, the scales in f32 or bf16")
    func scales() throws {
        let codes = (0..<20 * 33).map { UInt8($0 % 0x7F) }
        let folder = try folder(shards: [
            "a.safetensors": [.f8("x.weight", [20, 33], codes), .f8("y.weight", [1, 1], [0x38])],
            "b.safetensors": [
                StoredTensor(name: "one", dtype: "U8", shape: [1], bytes: [9]),
                .f32("x.weight_scale_inv", [2, 2], [1, 2, 3, 4]),
                .sixteenBits("BF16", "y.weight_scale_inv", [1, 1], [0x4040]),
            ],
        ])
        let checkpoint = try Checkpoint(folder: folder.path)
        let matrix = try checkpoint.matrix("x.weight", rows: 20, columns: 33)
        let scales = try #require(matrix.scales)
        #expect((scales.blockRows, scales.blockColumns, scales.stride) == (16, 32, 2))
        #expect((0..<4).map { scales.values[$0] } == [1, 2, 3, 4])
        #expect(matrix.weights.loadUnaligned(fromByteOffset: 659, as: UInt8.self) == codes[659])
        let other = try checkpoint.matrix("y.weight", rows: 1, columns: 1)
        #expect(other.scales?.values[0] == 3)
    }

    @Test("a matrix outlives the checkpoint it came from")
    func lifetime() throws {
        let folder = try folder(shards: [
            "model.safetensors": [.f8("x.weight", [1, 2], [1, 2]), .f32("x.weight_scale_inv", [1, 1], [5])]
        ])
        let matrix = try Checkpoint(folder: folder.path).matrix("x.weight", rows: 1, columns: 2)
        #expect(matrix.weights.load(fromByteOffset: 1, as: UInt8.self) == 2)
        #expect(matrix.scales?.values[0] == 5)
    }

    @Test("weights that do not fit what is asked for are errors that name file and tensor")
    func misfits() throws {
        let folder = try folder(shards: [
            "model.safetensors": [
                .f32("m", [2, 3], [1, 2, 3, 4, 5, 6]), .f8("alone", [1, 1], [1]),
                .f8("short", [17, 1], [UInt8](repeating: 1, count: 17)), .f32("short_scale_inv", [1, 1], [1]),
                .sixteenBits("BF16", "stray", [1, 1], [1]), .f32("stray_scale_inv", [1, 1], [1]),
                .f8("eight", [1, 1], [1]), .f8("eight_scale_inv", [1, 1], [1]), .f8("v", [1], [1]),
                StoredTensor(name: "i", dtype: "I32", shape: [1, 1], bytes: [0, 0, 0, 0]),
            ]
        ])
        let checkpoint = try Checkpoint(folder: folder.path)
        let cases: [(name: String, rows: Int, columns: Int, kind: CheckpointError.Kind, word: String)] = [
            ("m", 3, 2, .invalid, "[2, 3]"), ("m", 6, 1, .invalid, "[6, 1]"), ("none", 1, 1, .missing, "none"),
            ("alone", 1, 1, .missing, "alone_scale_inv"), ("short", 17, 1, .invalid, "short_scale_inv"),
            ("stray", 1, 1, .inconsistent, "stray"), ("eight", 1, 1, .unsupported, "eight_scale_inv"),
            ("i", 1, 1, .unsupported, "I32"),
        ]
        for (name, rows, columns, kind, word) in cases {
            let error = #expect(throws: CheckpointError.self) {
                try checkpoint.matrix(name, rows: rows, columns: columns)
            }
            #expect(error?.kind == kind, "\(name)")
            #expect(error?.description.contains(word) == true, "\(name)")
            #expect(error?.description.contains(name) == true && error?.file.hasPrefix(folder.path) == true)
        }
        let vector = #expect(throws: CheckpointError.self) { try checkpoint.vector("v", count: 1) }
        #expect(vector?.kind == .unsupported && vector?.item == "v")
        #expect(throws: CheckpointError.self) { try checkpoint.vector("m", count: 6) }
    }

    @Test("an FP8 weight without a block size in the config is an error that names the field")
    func noBlockSize() throws {
        let folder = try folder(
            config: .v3.setting(["quantization_config": nil]),
            shards: ["model.safetensors": [.f8("x", [1, 1], [1]), .f32("x_scale_inv", [1, 1], [1])]])
        let error = #expect(throws: CheckpointError.self) {
            try Checkpoint(folder: folder.path).matrix("x", rows: 1, columns: 1)
        }
        #expect(error?.description.contains("weight_block_size") == true)
        #expect(error?.file == folder.file("config.json"))
    }

    @Test("a folder without weights says what it lacks")
    func noWeights() throws {
        let folder = try folder(shards: [:])
        let error = #expect(throws: CheckpointError.self) { try Checkpoint(folder: folder.path) }
        #expect(error?.kind == .missing && error?.file == folder.path)
        #expect(error?.description.contains("model.safetensors.index.json") == true)
    }

    @Test(
        "an index that leaves the folder or is broken is refused",
        arguments: [
            "{'weight_map':{'t':'../x.safetensors'}}", "{'weight_map':{'t':'/etc/passwd'}}",
            "{'weight_map':{'t':'..'}}",
            "{'weight_map':{'t':''}}", "{'weight_map':{'t':'a\\u0000b'}}", "{'weight_map':{'t':'a/b.safetensors'}}",
            "{'weight_map':{'t':7}}", "{'weight_map':{'t':'a','t':'b'}}", "{'weight_map':{}}", "{'weight_map':[]}",
            "{}", "[]", "", "{'weight_map':{'t':'a'},'weight_map':{'t':'a'}}",
        ])
    func brokenIndex(index: String) throws {
        let folder = try folder(shards: [:])
        try folder.write(index.replacing("'", with: "\""), "model.safetensors.index.json")
        let error = #expect(throws: CheckpointError.self) { try Checkpoint(folder: folder.path) }
        #expect(error?.description.contains("model.safetensors.index.json") == true)
    }

    @Test("a shard that is missing, broken or lacks a tensor is named when it is needed")
    func brokenShards() throws {
        let folder = try folder(shards: ["here.safetensors": [.f32("a", [1], [1])]])
        try folder.write(
            "{\"weight_map\":{\"a\":\"here.safetensors\",\"b\":\"here.safetensors\",\"c\":\"gone.safetensors\"}}",
            "model.safetensors.index.json")
        let checkpoint = try Checkpoint(folder: folder.path)
        #expect(try checkpoint.vector("a", count: 1) == [1])
        let absent = #expect(throws: CheckpointError.self) { try checkpoint.vector("b", count: 1) }
        #expect(absent?.file == folder.file("here.safetensors") && absent?.item == "b")
        let gone = #expect(throws: CheckpointError.self) { try checkpoint.vector("c", count: 1) }
        #expect(gone?.kind == .missing && gone?.file == folder.file("gone.safetensors"))
    }

    @Test("shards are opened once and from any thread")
    func threads() async throws {
        let folder = try folder(shards: [
            "a.safetensors": [.f32("a", [2, 2], [1, 2, 3, 4])], "b.safetensors": [.f32("b", [2, 2], [5, 6, 7, 8])],
        ])
        let checkpoint = try Checkpoint(folder: folder.path)
        let sums = try await withThrowingTaskGroup(of: Float.self) { group in
            for index in 0..<64 {
                group.addTask {
                    let matrix = try checkpoint.matrix(index.isMultiple(of: 2) ? "a" : "b", rows: 2, columns: 2)
                    return matrix.weights.loadUnaligned(as: Float.self)
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(sums == 32 * 6)
    }

    /// A folder with a config and shards; more than one shard, or one of another name, gets an index.
    private func folder(
        config: SampleConfig = .v3, shards: [String: [StoredTensor]]
    ) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write(config.json, "config.json")
        for (name, tensors) in shards { try folder.write(StoredTensor.file(tensors), name) }
        if !shards.isEmpty && shards["model.safetensors"] == nil {
            let map = shards.flatMap { name, tensors in tensors.map { "\"\($0.name)\":\"\(name)\"" } }
            try folder.write("{\"weight_map\":{\(map.joined(separator: ","))}}", "model.safetensors.index.json")
        }
        return folder
    }
}
