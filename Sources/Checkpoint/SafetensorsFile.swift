internal import Foundation

/// One safetensors file, mapped read-only. Opening it touches only its header's pages.
package final class SafetensorsFile: @unchecked Sendable {
    package let path: String
    package let tensors: [String: TensorRecord]
    package let byteSize: Int
    private let base: UnsafeRawPointer

    package init(path: String) throws(CheckpointError) {
        self.path = path
        (base, byteSize) = try Self.map(path)
        do {
            let bytes = UnsafeRawBufferPointer(start: base, count: byteSize)
            tensors = try SafetensorsHeader(bytes, file: path).tensors
        } catch {
            munmap(UnsafeMutableRawPointer(mutating: base), byteSize)
            throw error
        }
    }

    deinit {
        munmap(UnsafeMutableRawPointer(mutating: base), byteSize)
    }

    /// The bytes of a tensor of this file; valid while the file is held.
    func bytes(of record: TensorRecord) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base + record.byteOffset, count: record.byteCount)
    }

    private static func map(_ path: String) throws(CheckpointError) -> (UnsafeRawPointer, Int) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw FileBytes.unreadable(path, errno) }
        defer { close(descriptor) }
        let byteSize = try FileBytes.regularFileSize(descriptor, path: path)
        guard byteSize > 0 else {
            throw CheckpointError(.malformed, file: path, problem: "is empty", remedy: "fetch the file again")
        }
        guard let base = mmap(nil, byteSize, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
            throw FileBytes.unreadable(path, errno)
        }
        return (UnsafeRawPointer(base), byteSize)
    }
}
