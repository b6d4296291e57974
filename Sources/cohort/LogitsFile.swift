internal import Foundation
internal import Serving

/// `--dump-logits FILE`: a safetensors file with `logits` F32 [positions, vocabulary], and `mtp_logits` F32
/// [vocabulary] where the checkpoint has an MTP layer.
struct LogitsFile {
    private let file: OutputFile

    private struct Entry: Encodable {
        let dtype = "F32"
        let shape: [Int]
        let offsets: [Int]

        enum CodingKeys: String, CodingKey {
            case dtype, shape
            case offsets = "data_offsets"
        }
    }

    init(path: String) throws {
        file = try OutputFile(path, flag: "--dump-logits")
    }

    func write(_ record: GenerationRecord, vocabularySize: Int) throws {
        let size = MemoryLayout<Float>.size
        let logitBytes = record.logits.count * size
        var entries = [
            "logits": Entry(
                shape: [record.logits.count / vocabularySize, vocabularySize], offsets: [0, logitBytes])
        ]
        if !record.predictionLogits.isEmpty {
            entries["mtp_logits"] = Entry(
                shape: [vocabularySize], offsets: [logitBytes, logitBytes + vocabularySize * size])
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        var header = try encoder.encode(entries)
        header.append(contentsOf: Array(repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8))
        try file.write(withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) })
        try file.write(header)
        try record.logits.withUnsafeBytes { try file.write($0) }
        try record.predictionLogits.withUnsafeBytes { try file.write($0) }
        try file.close()
    }
}
