internal import CWire
internal import Foundation

/// Owns what the pointers of a C message point at while it is packed.
final class ProtobufMemory {
    private var allocations: [UnsafeMutableRawPointer] = []

    deinit {
        for allocation in allocations { allocation.deallocate() }
    }

    /// A NUL-terminated copy. A NUL inside would cut it short, so it counts as no text.
    func string(
        _ text: String, field: String, limit: Int
    ) throws(ControlError) -> UnsafeMutablePointer<CChar> {
        let bytes = Array(text.utf8)
        guard bytes.count <= limit else { throw .tooLong(field: field, count: bytes.count, limit: limit) }
        guard !bytes.contains(0) else { throw .notUTF8(field: field) }
        return array(bytes.map { CChar(bitPattern: $0) } + [0])
    }

    func bytes(
        _ bytes: [UInt8], field: String, limit: Int
    ) throws(ControlError) -> ProtobufCBinaryData {
        guard bytes.count <= limit else { throw .tooLong(field: field, count: bytes.count, limit: limit) }
        return ProtobufCBinaryData(len: bytes.count, data: array(bytes))
    }

    func array<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeMutablePointer<Element> {
        let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(elements.count, 1))
        for (index, element) in elements.enumerated() { (memory + index).initialize(to: element) }
        allocations.append(UnsafeMutableRawPointer(memory))
        return memory
    }
}
