/// The fixed little-endian start of every frame. The payload of `payloadLength` bytes follows at once, or lies in
/// memory that both sides share.
///
/// Layout, in bytes: magic 0..<4, version 4..<6, kind 6, dtype 7, epoch 8..<12, layer 12..<16, flight 16..<24,
/// rows 24..<28, pairs 28..<32, elapsed microseconds 32..<36, location 36..<40, payload length 40..<48.
package struct FrameHeader: Sendable, Equatable {
    package static let byteCount = 48
    /// "CHRT" as the four bytes on the wire.
    package static let magic: UInt32 = 0x5452_4843
    package static let version: UInt16 = 1

    package let kind: FrameKind
    package let dtype: WireDType
    /// The version of the placement that the sender dispatched by.
    package let epoch: UInt32
    /// The decoder layer's index in the checkpoint.
    package let layer: UInt32
    /// Names one dispatch and its combine.
    package let flight: UInt64
    package let rowCount: UInt32
    package let pairCount: UInt32
    /// Combine: how long the worker computed. Otherwise zero.
    package let elapsedMicroseconds: UInt32
    /// Where the payload begins in shared memory, in units of 64 bytes counted from 1; 0: it follows the header.
    package var location: UInt32 = 0
    package let payloadLength: UInt64

    package init(
        kind: FrameKind, dtype: WireDType = .f32, epoch: UInt32 = 0, layer: UInt32 = 0, flight: UInt64 = 0,
        rowCount: UInt32 = 0, pairCount: UInt32 = 0, elapsedMicroseconds: UInt32 = 0, payloadLength: Int
    ) {
        self.kind = kind
        self.dtype = dtype
        self.epoch = epoch
        self.layer = layer
        self.flight = flight
        self.rowCount = rowCount
        self.pairCount = pairCount
        self.elapsedMicroseconds = elapsedMicroseconds
        self.payloadLength = UInt64(payloadLength)
    }

    /// Writes `byteCount` bytes to `bytes`.
    package func encode(into bytes: UnsafeMutableRawPointer) {
        func store<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
            bytes.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self)
        }
        store(Self.magic, at: 0)
        store(Self.version, at: 4)
        store(kind.rawValue, at: 6)
        store(dtype.rawValue, at: 7)
        store(epoch, at: 8)
        store(layer, at: 12)
        store(flight, at: 16)
        store(rowCount, at: 24)
        store(pairCount, at: 28)
        store(elapsedMicroseconds, at: 32)
        store(location, at: 36)
        store(payloadLength, at: 40)
    }

    /// Reads the header at the start of `bytes`; a payload longer than `maximumPayload` bytes is refused.
    package init(decoding bytes: UnsafeRawBufferPointer, maximumPayload: Int) throws(FrameError) {
        guard bytes.count >= Self.byteCount else { throw .truncated(byteCount: bytes.count) }
        func load<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type) -> Value {
            Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
        }
        let magic = load(0, as: UInt32.self)
        guard magic == Self.magic else { throw .badMagic(magic) }
        let version = load(4, as: UInt16.self)
        guard version == Self.version else { throw .unknownVersion(version) }
        guard let kind = FrameKind(rawValue: bytes[6]) else { throw .unknownKind(bytes[6]) }
        guard let dtype = WireDType(rawValue: bytes[7]) else { throw .unknownDType(bytes[7]) }
        let length = load(40, as: UInt64.self)
        guard length <= UInt64(maximumPayload) else { throw .tooLong(byteCount: length, limit: maximumPayload) }
        self.init(
            kind: kind, dtype: dtype, epoch: load(8, as: UInt32.self), layer: load(12, as: UInt32.self),
            flight: load(16, as: UInt64.self), rowCount: load(24, as: UInt32.self),
            pairCount: load(28, as: UInt32.self),
            elapsedMicroseconds: load(32, as: UInt32.self), payloadLength: Int(length))
        location = load(36, as: UInt32.self)
    }
}
