internal import CMapping
internal import Foundation

/// One safetensors file. Headers, scales and vectors are read; weights are mapped and come from the disk as they are
/// touched or asked for ahead. Neither reads more of the disk than that, so that a host pays for its own experts alone.
/// Where the disk fails then, or somebody truncates the file, the process ends and says so.
package final class SafetensorsFile: Sendable {
    package let path: String
    package let byteSize: Int
    package let tensors: [String: TensorRecord]
    private let input: InputFile
    // Mapped for reading alone.
    private nonisolated(unsafe) let base: UnsafeRawPointer

    /// Reads and checks the header.
    package init(path: String) throws(CheckpointError) {
        self.path = path
        input = try InputFile(path: path, readsAhead: false)
        byteSize = input.byteSize
        tensors = try SafetensorsHeader(input).tensors
        base = try Self.map(path, byteSize)
        cohort_guard_mapping(base, byteSize, path)
    }

    deinit {
        cohort_release_mapping(base)
        munmap(UnsafeMutableRawPointer(mutating: base), byteSize)
    }

    /// The first byte of a tensor of this file; valid while the file is held.
    func start(of record: TensorRecord) -> UnsafeRawPointer { base + record.byteOffset }

    /// A copy of a small tensor's bytes.
    func bytes(of record: TensorRecord) throws(CheckpointError) -> [UInt8] {
        try input.read(record.byteOffset..<record.byteOffset + record.byteCount)
    }

    /// Takes whole pages of a part of the mapping out of this process's memory; a touch brings them back.
    static func letGo(_ start: UnsafeRawPointer, byteCount: Int) {
        let pageSize = UInt(sysconf(Int32(_SC_PAGESIZE)))
        let first = (UInt(bitPattern: start) + pageSize - 1) & ~(pageSize - 1)
        let end = (UInt(bitPattern: start) + UInt(byteCount)) & ~(pageSize - 1)
        if end > first { madvise(UnsafeMutableRawPointer(bitPattern: first), Int(end - first), MADV_DONTNEED) }
    }

    private static func map(_ path: String, _ byteSize: Int) throws(CheckpointError) -> UnsafeRawPointer {
        // A descriptor of its own: the other one's advice is for reads.
        let input = try InputFile(path: path, readsAhead: true)
        guard input.byteSize == byteSize else {
            throw CheckpointError(
                .unreadable, file: path, problem: "changed its size while it was opened",
                remedy: "try again when nobody writes to it")
        }
        return try input.map()
    }
}
