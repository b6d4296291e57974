internal import Foundation
internal import Serving

/// `--dump-logits FILE`: a safetensors file with `logits` F32 [positions, vocabulary], and `mtp_logits` F32
/// [vocabulary] where the checkpoint has an MTP layer.
struct LogitsFile {
    private let path: String
    private let file: FileHandle

    private struct Entry: Encodable {
        let dtype = "F32"
        let shape: [Int]
        let offsets: [Int]

        enum CodingKeys: String, CodingKey {
            case dtype, shape
            case offsets = "data_offsets"
        }
    }

    /// Opened before the work, so that a path that cannot be written is known at once. What stands there is written
    /// over and never replaced: it may be a device, a pipe or a link.
    init(path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw UsageError(
                "--dump-logits: cannot write \(path) (\(String(cString: strerror(errno)))): choose a file in a folder "
                    + "that exists and is writable")
        }
        self.path = path
        file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
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
        do {
            try file.write(contentsOf: withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) })
            try file.write(contentsOf: header)
            try record.logits.withUnsafeBytes { try file.write(contentsOf: Data($0)) }
            try record.predictionLogits.withUnsafeBytes { try file.write(contentsOf: Data($0)) }
            try file.close()
        } catch {
            throw WorkError("--dump-logits: writing \(path) failed (\(error.localizedDescription)): is the disk full?")
        }
    }
}
