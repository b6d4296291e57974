import Testing
import Wire

@Suite struct FrameHeaderTests {
    private static func bytes(of header: FrameHeader) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xEE, count: FrameHeader.byteCount)
        bytes.withUnsafeMutableBytes { header.encode(into: $0.baseAddress!) }
        return bytes
    }

    private static func decode(_ bytes: [UInt8], maximumPayload: Int = 1 << 40) throws -> FrameHeader {
        try bytes.withUnsafeBytes { try FrameHeader(decoding: $0, maximumPayload: maximumPayload) }
    }

    private static let sample = FrameHeader(
        kind: .combine, dtype: .bf16, epoch: 0x0102_0304, layer: 60, flight: 0x1122_3344_5566_7788, rowCount: 7,
        pairCount: 9, elapsedMicroseconds: 1234, payloadLength: 0x01_0000_0010)

    @Test("A header stands on the wire byte by byte as the layout says")
    func layout() {
        let expected: [UInt8] = [
            0x43, 0x48, 0x52, 0x54, 1, 0, 65, 1, 4, 3, 2, 1, 60, 0, 0, 0,
            0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 7, 0, 0, 0, 9, 0, 0, 0,
            0xD2, 0x04, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 1, 0, 0, 0,
        ]
        #expect(Self.bytes(of: Self.sample) == expected)
    }

    @Test("A header of every kind comes back as it was", arguments: FrameKind.allCases)
    func roundTrip(kind: FrameKind) throws {
        var generator = SeededGenerator(seed: UInt64(kind.rawValue))
        for _ in 0..<100 {
            var header = FrameHeader(
                kind: kind, dtype: .allCases.randomElement(using: &generator)!, epoch: generator.next(),
                layer: generator.next(), flight: generator.next(), rowCount: generator.next(),
                pairCount: generator.next(), elapsedMicroseconds: generator.next(),
                payloadLength: .random(in: 0...(1 << 40), using: &generator))
            header.location = generator.next()
            #expect(try Self.decode(Self.bytes(of: header)) == header)
        }
    }

    @Test("Every truncation is an error that says how much is missing")
    func truncation() {
        let bytes = Self.bytes(of: Self.sample)
        for count in 0..<bytes.count {
            #expect(throws: FrameError.truncated(byteCount: count)) { try Self.decode(Array(bytes[..<count])) }
        }
    }

    @Test("Each wrong field is an error of its own")
    func wrongFields() {
        func changed(_ offset: Int, _ value: UInt8) -> [UInt8] {
            var bytes = Self.bytes(of: Self.sample)
            bytes[offset] = value
            return bytes
        }
        #expect(throws: FrameError.badMagic(0x5452_4800)) { try Self.decode(changed(0, 0)) }
        #expect(throws: FrameError.unknownVersion(2)) { try Self.decode(changed(4, 2)) }
        #expect(throws: FrameError.unknownKind(30)) { try Self.decode(changed(6, 30)) }
        #expect(throws: FrameError.unknownDType(7)) { try Self.decode(changed(7, 7)) }
    }

    @Test("A payload length over the limit is refused, up to the largest number")
    func lengthLimit() throws {
        let header = FrameHeader(kind: .hello, payloadLength: 1024)
        #expect(try Self.decode(Self.bytes(of: header), maximumPayload: 1024) == header)
        #expect(throws: FrameError.tooLong(byteCount: 1024, limit: 1023)) {
            try Self.decode(Self.bytes(of: header), maximumPayload: 1023)
        }
        var bytes = Self.bytes(of: header)
        for index in 40..<48 { bytes[index] = 0xFF }
        #expect(throws: FrameError.tooLong(byteCount: .max, limit: .max)) {
            try Self.decode(bytes, maximumPayload: .max)
        }
    }

    @Test("Ten thousand random mutations never crash, and what decodes encodes to the same bytes")
    func mutation() {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<10_000 {
            var bytes = Self.bytes(of: Self.sample)
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8(truncatingIfNeeded: generator.next())
            }
            if let header = try? Self.decode(bytes, maximumPayload: .max) { #expect(Self.bytes(of: header) == bytes) }
        }
    }
}
