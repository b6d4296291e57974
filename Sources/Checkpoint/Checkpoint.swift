internal import Foundation
package import Kernels
internal import Synchronization

/// A model folder in the published format: config.json and safetensors files. Files are mapped when their first tensor
/// is asked for; weights are read where they lie, when a kernel touches them.
package final class Checkpoint: Sendable {
    package let folder: String
    package let config: ModelConfig
    /// Names of the weight files in the folder.
    package let shards: [String]
    private let shardOfTensor: [String: Int]
    private let files: Mutex<[SafetensorsFile?]>

    /// Reads config.json and the index, and nothing of the shards. Without an index the folder must hold one
    /// model.safetensors, whose header is read.
    package init(folder: String) throws(CheckpointError) {
        self.folder = folder
        config = try ModelConfig(folder: folder)
        let indexPath = folder + "/" + CheckpointIndex.fileName
        if InputFile.exists(indexPath) {
            let index = try CheckpointIndex(path: indexPath)
            shards = index.shards
            shardOfTensor = index.shardOfTensor
            files = Mutex(Array(repeating: nil, count: index.shards.count))
        } else {
            let path = folder + "/" + CheckpointIndex.singleFileName
            guard InputFile.exists(path) else { throw Self.noWeights(folder) }
            let file = try SafetensorsFile(path: path)
            shards = [CheckpointIndex.singleFileName]
            shardOfTensor = file.tensors.mapValues { _ in 0 }
            files = Mutex([file])
        }
    }

    /// Every tensor's name, unordered.
    package var tensorNames: some Collection<String> { shardOfTensor.keys }

    /// Whether the files hold the MTP layers that the config names: copies of a model often leave them out.
    package var holdsMTP: Bool {
        config.mtpLayerCount > 0 && contains(LayerTensorNames(layer: config.layerCount).mtpJoin)
    }

    package func contains(_ name: String) -> Bool { shardOfTensor[name] != nil }

    /// A weight [rows, columns] where it lies in its file, with its block scales if it is FP8. What `readAhead` has not
    /// brought comes page by page when it is touched, which is slow from a disk.
    /// - Parameters:
    ///   - name: the tensor's whole name, "….weight".
    /// - Throws: `CheckpointError` if the tensor, its shape, dtype or scales are not as they must be.
    package func matrix(_ name: String, rows: Int, columns: Int) throws(CheckpointError) -> WeightMatrix {
        let place = try matrixPlace(name, rows: rows, columns: columns)
        let scales = try scalePlace(place).map { (scale) throws(CheckpointError) in try self.scales(scale) }
        let owner = MatrixOwner(file: place.file, scales: scales)
        return WeightMatrix(
            dtype: place.dtype, rows: rows, columns: columns, weights: place.file.start(of: place.record),
            scales: owner.blockScales, owner: owner)
    }

    /// Checks a matrix as `matrix` does, without reading its scales.
    func checkMatrix(_ name: String, rows: Int, columns: Int) throws(CheckpointError) {
        _ = try scalePlace(try matrixPlace(name, rows: rows, columns: columns))
    }

    /// A stored vector of F32, F16 or BF16, widened.
    package func vector(_ name: String, count: Int) throws(CheckpointError) -> [Float] {
        let (file, record) = try find(name)
        try checkShape(record, [count], name, file)
        return try floats(record, name, file)
    }

    /// Checks a vector as `vector` does, without reading it.
    func checkVector(_ name: String, count: Int) throws(CheckpointError) {
        let (file, record) = try find(name)
        try checkShape(record, [count], name, file)
        if try weightDType(record, name, file) == .f8e4m3 { throw notPlain(name, file) }
    }

    /// What the header says of a tensor, and the file it is in.
    package func record(of name: String) throws(CheckpointError) -> (file: String, record: TensorRecord) {
        let (file, record) = try find(name)
        return (file.path, record)
    }

    /// Reads tensors and their block scales, and returns when they are in memory. It comes before what else is read of
    /// them: a single page in memory keeps the huge page around it from being made.
    /// - Parameter names: those that no file holds are passed over.
    /// - Throws: `CheckpointError` when a file cannot be opened.
    package func readAhead(_ names: some Sequence<String>) throws(CheckpointError) {
        var parts = WantedParts()
        for name in names {
            for name in [name, TensorName.scale(of: name)] where contains(name) {
                let (file, record) = try find(name)
                parts.add(file.start(of: record), byteCount: record.byteCount)
            }
        }
        parts.read()
    }

    /// Asks the system to read the matrix's pages now; their neighbours stay on the disk.
    package func adviseWillNeed(_ matrix: WeightMatrix) {
        WantedParts.ask(for: matrix.weights, byteCount: matrix.span)
    }

    /// Says that the matrix is not needed any more, such as after a part of it was copied: it no longer counts as this
    /// process's memory. A matrix in memory of its own, such as a copied part, goes with its last reference instead.
    package func adviseDoNotNeed(_ matrix: WeightMatrix) {
        guard matrix.owner is MatrixOwner else { return }
        SafetensorsFile.letGo(matrix.weights, byteCount: matrix.span)
    }
}

extension Checkpoint {
    /// Maps every shard and gives each tensor's record in the order of names.
    package func allRecords() throws(CheckpointError) -> [(name: String, shard: String, record: TensorRecord)] {
        var result: [(name: String, shard: String, record: TensorRecord)] = []
        result.reserveCapacity(shardOfTensor.count)
        for (name, shard) in shardOfTensor {
            result.append((name, shards[shard], try find(name).1))
        }
        return result.sorted { $0.name < $1.name }
    }

    /// A weight's place in its file, its shape and dtype checked.
    private struct MatrixPlace {
        let name: String
        let file: SafetensorsFile
        let record: TensorRecord
        let dtype: WeightDType
    }

    private struct ScalePlace {
        let name: String
        let file: SafetensorsFile
        let record: TensorRecord
        let block: BlockShape
    }

    private func matrixPlace(_ name: String, rows: Int, columns: Int) throws(CheckpointError) -> MatrixPlace {
        let (file, record) = try find(name)
        try checkShape(record, [rows, columns], name, file)
        return MatrixPlace(name: name, file: file, record: record, dtype: try weightDType(record, name, file))
    }

    private func find(_ name: String) throws(CheckpointError) -> (SafetensorsFile, TensorRecord) {
        guard let shard = shardOfTensor[name] else {
            throw CheckpointError(
                .missing, file: folder, item: name, problem: "no file of this model holds the tensor",
                remedy: "fetch the model again, or check that config.json belongs to it")
        }
        let file = try file(shard)
        guard let record = file.tensors[name] else {
            throw CheckpointError(
                .inconsistent, file: file.path, item: name,
                problem: "the index says that the tensor is in this file, but it is not",
                remedy: "fetch this file and \(CheckpointIndex.fileName) again")
        }
        return (file, record)
    }

    private func file(_ shard: Int) throws(CheckpointError) -> SafetensorsFile {
        try files.withLock { (files) throws(CheckpointError) in
            if let file = files[shard] { return file }
            let file = try SafetensorsFile(path: folder + "/" + shards[shard])
            files[shard] = file
            return file
        }
    }

    private func checkShape(
        _ record: TensorRecord, _ shape: [Int], _ name: String, _ file: SafetensorsFile
    ) throws(CheckpointError) {
        guard record.shape == shape else {
            throw CheckpointError(
                .invalid, file: file.path, item: name,
                problem: "has shape \(record.shape), but config.json makes it \(shape)",
                remedy: "check that config.json belongs to these files")
        }
    }

    private func weightDType(
        _ record: TensorRecord, _ name: String, _ file: SafetensorsFile
    ) throws(CheckpointError) -> WeightDType {
        guard case .weight(let dtype) = record.dtype else {
            throw CheckpointError(
                .unsupported, file: file.path, item: name, problem: "dtype \(record.dtype) is not supported",
                remedy: "use the model in BF16, F16, F32 or F8_E4M3")
        }
        return dtype
    }

    private func floats(
        _ record: TensorRecord, _ name: String, _ file: SafetensorsFile
    ) throws(CheckpointError) -> [Float] {
        let bytes = try file.bytes(of: record)
        switch try weightDType(record, name, file) {
        case .f32: return Self.load(bytes, UInt32.self) { Float(bitPattern: $0) }
        case .f16: return Self.load(bytes, UInt16.self) { Float(Float16(bitPattern: $0)) }
        case .bf16: return Self.load(bytes, UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
        case .f8e4m3, .int8, .int4: throw notPlain(name, file)
        }
    }

    private func notPlain(_ name: String, _ file: SafetensorsFile) -> CheckpointError {
        CheckpointError(
            .unsupported, file: file.path, item: name, problem: "is F8_E4M3 where plain numbers are needed",
            remedy: "use a checkpoint that keeps it in F32 or BF16")
    }

    /// Little-endian numbers, widened.
    private static func load<Bits: FixedWidthInteger>(
        _ bytes: [UInt8], _ type: Bits.Type, _ widen: (Bits) -> Float
    ) -> [Float] {
        let stride = MemoryLayout<Bits>.size
        return bytes.withUnsafeBytes { raw in
            (0..<raw.count / stride).map {
                widen(Bits(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * stride, as: type)))
            }
        }
    }

    /// The block scales of an FP8 matrix, copied to aligned memory: 1/4096 of the weights' size for blocks of 128.
    private func scales(_ place: ScalePlace) throws(CheckpointError) -> MatrixOwner.Scales {
        MatrixOwner.Scales(
            values: try floats(place.record, place.name, place.file), stride: place.record.shape[1], block: place.block)
    }

    /// Where the block scales of a matrix lie, checked; nil if the matrix is not FP8.
    private func scalePlace(_ place: MatrixPlace) throws(CheckpointError) -> ScalePlace? {
        let scaleName = TensorName.scale(of: place.name)
        guard place.dtype == .f8e4m3 else {
            if contains(scaleName) { throw strayScale(place.name, place.file) }
            return nil
        }
        guard let block = config.quantization else {
            throw CheckpointError(
                .missing, file: folder + "/config.json", item: "quantization_config.weight_block_size",
                problem: "the field is missing, but \(place.name) is FP8",
                remedy: "take the config.json that was published with the model")
        }
        guard contains(scaleName) else {
            throw CheckpointError(
                .missing, file: place.file.path, item: scaleName,
                problem: "no file holds the block scales of this FP8 weight", remedy: "fetch the model again")
        }
        let (file, record) = try find(scaleName)
        let shape = block.scaleShape(rows: place.record.shape[0], columns: place.record.shape[1])
        try checkShape(record, [shape.rows, shape.columns], scaleName, file)
        if try weightDType(record, scaleName, file) == .f8e4m3 { throw notPlain(scaleName, file) }
        return ScalePlace(name: scaleName, file: file, record: record, block: block)
    }

    private func strayScale(_ name: String, _ file: SafetensorsFile) -> CheckpointError {
        CheckpointError(
            .inconsistent, file: file.path, item: name,
            problem: "is not FP8, but there is a scale \(TensorName.scale(of: name)) for it",
            remedy: "use a checkpoint whose weights and scales belong together")
    }

    private static func noWeights(_ folder: String) -> CheckpointError {
        CheckpointError(
            .missing, file: folder,
            problem: "holds neither \(CheckpointIndex.fileName) nor \(CheckpointIndex.singleFileName)",
            remedy: "name a folder with the published weights")
    }
}
