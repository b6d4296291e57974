internal import Foundation

/// One file of a synthetic checkpoint: its header, and the work of filling it.
struct SyntheticShard: Sendable {
    /// Largest shard of published checkpoints.
    static let maximumByteCount = 5_000_000_000
    /// Keeps headers far below the format's limit, at about 150 bytes a tensor.
    static let maximumTensorCount = 100_000
    /// Bytes that a thread makes at a time.
    static let pieceByteCount = 4 << 20

    /// Elements of one tensor that lie together in the file.
    struct Piece: Sendable {
        let tensor: SyntheticTensor
        let elements: Range<Int>
        let fileOffset: Int
        var byteCount: Int { tensor.spec.dtype.byteCount(elements.count) }
    }

    let name: String
    let tensors: [SyntheticTensor]
    let header: [UInt8]

    var dataByteCount: Int { tensors.reduce(0) { $0 + $1.spec.byteCount } }

    /// Cuts the tensors, in their order, into shards.
    static func shards(of tensors: [SyntheticTensor]) -> [SyntheticShard] {
        var groups: [[SyntheticTensor]] = []
        var byteCount = 0
        for tensor in tensors {
            let isFull =
                byteCount + tensor.spec.byteCount > maximumByteCount
                || (groups.last?.count ?? maximumTensorCount) >= maximumTensorCount
            if isFull {
                groups.append([])
                byteCount = 0
            }
            groups[groups.count - 1].append(tensor)
            byteCount += tensor.spec.byteCount
        }
        return groups.indices.map { index in
            SyntheticShard(name: fileName(index + 1, of: groups.count), tensors: groups[index])
        }
    }

    private init(name: String, tensors: [SyntheticTensor]) {
        self.name = name
        self.tensors = tensors
        header = Self.header(tensors)
    }

    /// The pieces that fill the file behind the header.
    func pieces() -> [Piece] {
        var pieces: [Piece] = []
        var fileOffset = header.count
        for tensor in tensors {
            let byteSize = tensor.spec.dtype.byteCount(1)
            let step = Self.pieceByteCount / byteSize
            for start in stride(from: 0, to: tensor.spec.elementCount, by: step) {
                let elements = start..<min(start + step, tensor.spec.elementCount)
                pieces.append(Piece(tensor: tensor, elements: elements, fileOffset: fileOffset + start * byteSize))
            }
            fileOffset += tensor.spec.byteCount
        }
        return pieces
    }

    private static func fileName(_ number: Int, of count: Int) -> String {
        "model-" + padded(number, 5) + "-of-" + padded(count, 6) + ".safetensors"
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Length and JSON, filled up with blanks so that the data begin at a multiple of 8.
    private static func header(_ tensors: [SyntheticTensor]) -> [UInt8] {
        var json = "{\"__metadata__\":{\"format\":\"pt\"}"
        var offset = 0
        for spec in tensors.map(\.spec) {
            let shape = spec.shape.map(String.init).joined(separator: ",")
            json += ",\(JSONValue.quoted(spec.name)):{\"dtype\":\"\(TensorDType.weight(spec.dtype))\","
            json += "\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(offset + spec.byteCount)]}"
            offset += spec.byteCount
        }
        json += "}"
        json += String(repeating: " ", count: (8 - json.utf8.count % 8) % 8)
        return withUnsafeBytes(of: UInt64(json.utf8.count).littleEndian) { Array($0) } + Array(json.utf8)
    }
}
