internal import Foundation
internal import Kernels
internal import Synchronization

/// Writes checkpoints with seeded random weights in the published format. The same config, dtype and seed give the same
/// bytes, whatever the number of threads.
package struct SyntheticCheckpoint: Sendable {
    package enum Format: String, CaseIterable, Sendable {
        case bf16
        case fp8
    }

    package let config: ModelConfig
    package let layout: ModelLayout
    private let configJSON: JSONValue
    private let seed: UInt64

    /// - Parameters:
    ///   - configFile: a config.json; a generation_config.json beside it is read too.
    ///   - format: nil keeps what the config says. FP8 uses the config's block size, or 128 x 128.
    package init(configFile: String, format: Format?, seed: UInt64) throws(CheckpointError) {
        let bytes = try InputFile.bytes(of: configFile, maximumByteSize: ModelConfig.maximumFileByteSize)
        let source = try ModelConfig(path: configFile)
        let json = try JSONReader.value(of: bytes, file: configFile)
        configJSON = Self.requantized(json, source, format)
            .setting("bos_token_id", to: source.bosTokenID.map { .number(String($0)) })
            .setting("eos_token_id", to: Self.tokenIDs(source.eosTokenIDs))
        config = try ModelConfig(json: Array(configJSON.text().utf8), file: configFile)
        layout = ModelLayout(config)
        self.seed = seed
    }

    /// Writes the checkpoint into a folder that is empty or not there yet. The index comes last: a folder that has one
    /// is whole. On an error what was written is removed.
    /// - Parameter progress: called now and then, from one thread at a time, with the bytes written and all bytes.
    package func write(
        to folder: String, threads: Int, progress: (@Sendable (_ written: Int, _ total: Int) -> Void)? = nil
    ) throws(CheckpointError) {
        let output = try SyntheticFolder(folder)
        do {
            try output.checkFreeSpace(layout.byteCount)
            try writeFiles(output, threads: max(threads, 1), progress: progress)
        } catch {
            output.removeAll()
            throw error
        }
    }

    private func writeFiles(
        _ output: SyntheticFolder, threads: Int, progress: (@Sendable (Int, Int) -> Void)?
    ) throws(CheckpointError) {
        let tables = SyntheticTables()
        let shards = SyntheticShard.shards(of: tensors(tables))
        var written = 0
        let total = layout.byteCount
        for shard in shards {
            let before = written
            try output.write(shard, threads: threads, tables: tables) { progress?(before + $0, total) }
            written += shard.dataByteCount
        }
        try output.write(configJSON.text() + "\n", name: "config.json")
        try output.write(generationConfig.text() + "\n", name: "generation_config.json")
        try output.write(index(shards).text() + "\n", name: CheckpointIndex.fileName)
        progress?(total, total)
    }

    private func tensors(_ tables: SyntheticTables) -> [SyntheticTensor] {
        var columns = 1
        return layout.tensors.map { spec in
            if !spec.isScale { columns = spec.shape.last ?? 1 }
            return SyntheticTensor(
                spec, columns: columns, seed: seed, config: config, codeDeviation: tables.codeDeviation)
        }
    }

    private func index(_ shards: [SyntheticShard]) -> JSONValue {
        let map = shards.flatMap { shard in
            shard.tensors.map { JSONValue.Member(name: $0.spec.name, value: .string(shard.name)) }
        }
        let metadata = JSONValue.object([.init(name: "total_size", value: .number(String(layout.byteCount)))])
        return .object([
            .init(name: "metadata", value: metadata), .init(name: "weight_map", value: .object(map)),
        ])
    }

    private var generationConfig: JSONValue {
        var members = [JSONValue.Member(name: "_from_model_config", value: .bool(true))]
        if let bos = config.bosTokenID { members.append(.init(name: "bos_token_id", value: .number(String(bos)))) }
        members.append(.init(name: "eos_token_id", value: Self.tokenIDs(config.eosTokenIDs)))
        return .object(members)
    }

    private static func tokenIDs(_ ids: [Int]) -> JSONValue {
        ids.count == 1 ? .number(String(ids[0])) : .array(ids.map { .number(String($0)) })
    }

    private static func requantized(_ json: JSONValue, _ config: ModelConfig, _ format: Format?) -> JSONValue {
        switch format {
        case nil: return json
        case .bf16: return json.setting("quantization_config", to: nil)
        case .fp8:
            guard config.quantization == nil else { return json }
            let block = BlockShape.published
            let sides = [block.rows, block.columns].map { JSONValue.number(String($0)) }
            return json.setting(
                "quantization_config",
                to: .object([
                    .init(name: "activation_scheme", value: .string("dynamic")),
                    .init(name: "fmt", value: .string("e4m3")), .init(name: "quant_method", value: .string("fp8")),
                    .init(name: "weight_block_size", value: .array(sides)),
                ]))
        }
    }
}
