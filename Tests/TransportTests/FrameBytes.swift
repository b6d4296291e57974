import Wire

/// A frame as its bytes on the wire.
func frameBytes(_ kind: FrameKind = .dispatch, flight: UInt64 = 0, payload: [UInt8]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount)
    let header = FrameHeader(kind: kind, flight: flight, payloadLength: payload.count)
    bytes.withUnsafeMutableBytes { header.encode(into: $0.baseAddress!) }
    return bytes + payload
}
