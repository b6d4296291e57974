/// Which file of a checkpoint holds which tensor, by model.safetensors.index.json.
struct CheckpointIndex {
    static let fileName = "model.safetensors.index.json"
    /// R1's has 9 MB.
    private static let maximumByteSize = 256 << 20
    static let singleFileName = "model.safetensors"

    /// Names of the files in the folder, sorted.
    let shards: [String]
    /// Tensor name to its position in `shards`.
    let shardOfTensor: [String: Int]

    init(path: String) throws(CheckpointError) {
        let bytes = try InputFile.bytes(of: path, maximumByteSize: Self.maximumByteSize)
        var positions: [String: Int] = [:]
        var names: [String] = []
        var map: [String: Int]?
        try JSONReader.withReader(of: bytes, file: path) { (reader: inout JSONReader) throws(CheckpointError) in
            try reader.readObject { (reader, key) throws(CheckpointError) in
                guard key == "weight_map" else {
                    try reader.skipValue()
                    return
                }
                guard map == nil else { throw reader.failure("\"weight_map\" stands twice") }
                map = try Self.readMap(&reader, path, &names, &positions)
            }
            try reader.finish()
        }
        guard let map, !map.isEmpty else {
            throw CheckpointError(
                map == nil ? .missing : .invalid, file: path, item: "weight_map",
                problem: map == nil ? "the field is missing" : "names no tensor", remedy: "fetch the file again")
        }
        shards = names
        shardOfTensor = map
    }

    private static func readMap(
        _ reader: inout JSONReader, _ path: String, _ names: inout [String], _ positions: inout [String: Int]
    ) throws(CheckpointError) -> [String: Int] {
        var map: [String: Int] = [:]
        var localNames = names
        var localPositions = positions
        try reader.readObject { (reader, tensor) throws(CheckpointError) in
            let file = try reader.readString()
            if localPositions[file] == nil {
                try checkName(file, path, tensor)
                localPositions[file] = localNames.count
                localNames.append(file)
            }
            guard map.updateValue(localPositions[file] ?? 0, forKey: tensor) == nil else {
                throw CheckpointError(
                    .malformed, file: path, item: tensor, problem: "stands twice in weight_map",
                    remedy: "fetch the file again")
            }
        }
        names = localNames
        positions = localPositions
        return map
    }

    /// A shard lies in the folder itself: an index must not reach other files of the machine.
    private static func checkName(_ name: String, _ path: String, _ tensor: String) throws(CheckpointError) {
        let isPlain =
            !name.isEmpty && name != "." && name != ".." && !name.utf8.contains(UInt8(ascii: "/"))
            && !name.utf8.contains(0)
        guard isPlain else {
            throw CheckpointError(
                .invalid, file: path, item: tensor,
                problem: "is said to be in \"\(name)\", which is no file name inside the folder",
                remedy: "fetch the index again from where the model is published")
        }
    }
}
