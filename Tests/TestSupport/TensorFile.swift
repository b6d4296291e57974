import Foundation

/// The F32 tensors of a small safetensors file, read without the code under test.
package struct TensorFile: Sendable {
    private let tensors: [String: [Float]]

    package init(path: String) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        let length = data.prefix(8).enumerated().reduce(0) { $0 + Int($1.element) << (8 * $1.offset) }
        let header = try JSONDecoder().decode([String: Entry].self, from: data[8..<8 + length])
        tensors = header.compactMapValues { entry in
            guard let offsets = entry.offsets else { return nil }
            let bytes = data[8 + length + offsets[0]..<8 + length + offsets[1]]
            return Array(unsafeUninitializedCapacity: bytes.count / 4) { buffer, count in
                count = bytes.copyBytes(to: buffer) / 4
            }
        }
    }

    package subscript(name: String) -> [Float]? { tensors[name] }

    private struct Entry: Decodable {
        let offsets: [Int]?

        enum CodingKeys: String, CodingKey {
            case offsets = "data_offsets"
        }
    }
}
