import Foundation

/// Bytes that end where unreadable memory begins: reading past them stops the test.
final class GuardedMemory: Sendable {
    nonisolated(unsafe) let bytes: UnsafeMutableRawPointer
    private nonisolated(unsafe) let pages: UnsafeMutableRawPointer
    private let mappedByteCount: Int

    /// - Parameter gap: readable bytes between the last byte and the end, to shift what has a fixed size.
    init(byteCount: Int, gap: Int = 0) {
        let page = Int(getpagesize())
        let used = (byteCount + gap + page - 1) / page * page
        mappedByteCount = used + page
        let memory = mmap(nil, mappedByteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED else { preconditionFailure("no memory for a test") }
        pages = memory
        precondition(mprotect(memory + used, page, PROT_NONE) == 0, "no guard page for a test")
        bytes = memory + (used - byteCount - gap)
    }

    /// Room for exactly `values`, and they in it.
    convenience init<Value: BitwiseCopyable>(_ values: [Value]) {
        self.init(byteCount: values.count * MemoryLayout<Value>.stride)
        values.withUnsafeBytes {
            bytes.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(pages), byteCount: $0.count)
        }
    }

    deinit {
        munmap(pages, mappedByteCount)
    }

    func pointer<Value: BitwiseCopyable>(to: Value.Type) -> UnsafeMutablePointer<Value> {
        bytes.assumingMemoryBound(to: Value.self)
    }

    var floats: UnsafeMutablePointer<Float> { pointer(to: Float.self) }
    var halves: UnsafeMutablePointer<UInt16> { pointer(to: UInt16.self) }
}
