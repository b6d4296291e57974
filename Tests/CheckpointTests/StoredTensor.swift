/// A tensor as a test wants it to stand in a safetensors file.
struct StoredTensor {
    let name: String
    let dtype: String
    let shape: [Int]
    let bytes: [UInt8]

    static func f32(_ name: String, _ shape: [Int], _ values: [Float]) -> StoredTensor {
        let bytes = values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } }
        return StoredTensor(name: name, dtype: "F32", shape: shape, bytes: bytes)
    }

    static func sixteenBits(_ dtype: String, _ name: String, _ shape: [Int], _ values: [UInt16]) -> StoredTensor {
        let bytes = values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
        return StoredTensor(name: name, dtype: dtype, shape: shape, bytes: bytes)
    }

    static func f8(_ name: String, _ shape: [Int], _ codes: [UInt8]) -> StoredTensor {
        StoredTensor(name: name, dtype: "F8_E4M3", shape: shape, bytes: codes)
    }

    /// The bytes of a file with these tensors.
    static func file(_ tensors: [StoredTensor]) -> [UInt8] {
        var members: [String] = []
        var data: [UInt8] = []
        for tensor in tensors {
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            members.append(
                "\"\(tensor.name)\":{\"dtype\":\"\(tensor.dtype)\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(data.count),\(data.count + tensor.bytes.count)]}")
            data += tensor.bytes
        }
        return file(header: "{" + members.joined(separator: ",") + "}", data: data)
    }

    static func file(header: String, data: [UInt8]) -> [UInt8] {
        let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
        return length + Array(header.utf8) + data
    }
}
