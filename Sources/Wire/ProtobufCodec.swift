internal import CWire
internal import Foundation

/// The five C functions that protoc-c makes for one message, and how Swift calls them: written into memory of the
/// right size, read through an allocator that gives out no more than `WireLimit.decodedBytes`.
struct ProtobufCodec<Raw>: Sendable {
    let kind: FrameKind
    let initialize: @Sendable (UnsafeMutablePointer<Raw>?) -> Void
    let size: @Sendable (UnsafePointer<Raw>?) -> Int
    let pack: @Sendable (UnsafePointer<Raw>?, UnsafeMutablePointer<UInt8>?) -> Int
    let unpack:
        @Sendable (UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?) -> UnsafeMutablePointer<Raw>?
    let free: @Sendable (UnsafeMutablePointer<Raw>?, UnsafeMutablePointer<ProtobufCAllocator>?) -> Void

    /// Packs the message that `fill` fills in; what its pointers point at lives in the memory passed to `fill`.
    func encode(
        _ fill: (inout Raw, ProtobufMemory) throws(ControlError) -> Void
    ) throws(ControlError) -> [UInt8] {
        let memory = ProtobufMemory()
        let raw = UnsafeMutablePointer<Raw>.allocate(capacity: 1)
        defer { raw.deallocate() }
        initialize(raw)
        try fill(&raw.pointee, memory)
        let bytes = [UInt8](unsafeUninitializedCapacity: size(raw)) { buffer, count in
            count = pack(raw, buffer.baseAddress)
        }
        return withExtendedLifetime(memory) { bytes }
    }

    /// Reads a message. `read` copies what it wants to keep.
    func decode<Value>(
        _ payload: UnsafeRawBufferPointer, budget: Int = WireLimit.decodedBytes,
        _ read: (borrowing Raw) throws(ControlError) -> Value
    ) throws(ControlError) -> Value {
        var remaining = budget
        return try withUnsafeMutablePointer(to: &remaining) { (remaining) throws(ControlError) in
            var allocator = ProtobufCAllocator(
                alloc: { remaining, count in allocate(count, from: remaining) },
                free: { _, memory in Foundation.free(memory) }, allocator_data: remaining)
            let bytes = payload.baseAddress?.assumingMemoryBound(to: UInt8.self)
            var empty: UInt8 = 0
            guard
                let raw = unpack(
                    &allocator, payload.count, bytes ?? UnsafePointer(withUnsafePointer(to: &empty) { $0 }))
            else { throw .malformed(kind) }
            defer { free(raw, &allocator) }
            return try read(raw.pointee)
        }
    }
}

/// Takes `count` bytes off the budget that `remaining` points at; nil when they are not left.
private func allocate(_ count: Int, from remaining: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let remaining = remaining?.assumingMemoryBound(to: Int.self), count >= 0, count <= remaining.pointee else {
        return nil
    }
    remaining.pointee -= count
    return malloc(max(count, 1))
}
