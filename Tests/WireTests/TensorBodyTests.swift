import Testing
import Wire

@Suite struct TensorBodyTests {
    private static let shape = RowShape(hiddenSize: 6, dtype: .bf16)
    private static let bounds = DispatchBody.Bounds(maximumRows: 8, expertCount: 16, rankCount: 2)

    /// Rows 1, 2 and 5 of 8 hidden rows, with pairs; the payload as one array.
    private static func sample() -> (header: FrameHeader, payload: [UInt8], hidden: [UInt16]) {
        let hidden = (0..<8 * shape.hiddenSize).map { UInt16($0 * 31) }
        var writer = DispatchWriter(shape: shape)
        writer.add(sourceRow: 1, expert: 15, rank: 0)
        writer.add(sourceRow: 1, expert: 3, rank: 1)
        writer.add(sourceRow: 2, expert: 0, rank: 0)
        writer.add(sourceRow: 5, expert: 7, rank: 1)
        var result: (FrameHeader, [UInt8])?
        hidden.withUnsafeBytes { bytes in
            writer.write(hidden: bytes.baseAddress!, epoch: 2, layer: 9, flight: 77) { header, segments in
                #expect(segments.count == 3, "the pairs, rows 1 and 2 in one run, row 5")
                result = (header, segments.flatMap { Array($0) })
            }
        }
        return (result!.0, result!.1, hidden)
    }

    private static func read<Value>(
        _ header: FrameHeader, _ payload: [UInt8], _ body: (DispatchBody) throws -> Value
    ) throws -> Value {
        try payload.withUnsafeBytes { bytes in
            try body(DispatchBody(header: header, payload: bytes, shape: shape, bounds: bounds))
        }
    }

    @Test("A dispatch comes back with its pairs and each row once")
    func dispatchRoundTrip() throws {
        let (header, payload, hidden) = Self.sample()
        #expect(header.kind == .dispatch && header.epoch == 2 && header.layer == 9 && header.flight == 77)
        #expect(payload.count == Int(header.payloadLength))
        try Self.read(header, payload) { body in
            #expect(body.rowCount == 3)
            #expect(
                Array(body.pairs) == [
                    ExpertPair(row: 0, expert: 15, rank: 0), ExpertPair(row: 0, expert: 3, rank: 1),
                    ExpertPair(row: 1, expert: 0, rank: 0), ExpertPair(row: 2, expert: 7, rank: 1),
                ])
            let rows = Array(body.rows.assumingMemoryBound(to: UInt16.self))
            let width = Self.shape.hiddenSize
            #expect(rows == Array(hidden[width..<3 * width]) + Array(hidden[5 * width..<6 * width]))
        }
    }

    @Test("A pair stands on the wire as row, expert, rank in little-endian order")
    func pairLayout() {
        let pair = ExpertPair(row: 0x0102_0304, expert: 0x0506, rank: 0x0708)
        #expect(withUnsafeBytes(of: pair) { Array($0) } == [4, 3, 2, 1, 6, 5, 8, 7])
    }

    @Test("Every payload length but the right one is refused")
    func lengths() {
        let (header, payload, _) = Self.sample()
        for count in 0..<payload.count {
            #expect(throws: BodyError.wrongLength(byteCount: count, expected: payload.count)) {
                try Self.read(header, Array(payload[..<count])) { _ in }
            }
        }
        #expect(throws: BodyError.self) { try Self.read(header, payload + [0]) { _ in } }
    }

    @Test("A pair out of range is refused with its place")
    func ranges() {
        let (header, payload, _) = Self.sample()
        func changed(_ offset: Int, _ value: UInt8) -> [UInt8] {
            var copy = payload
            copy[offset] = value
            return copy
        }
        #expect(throws: BodyError.rowOutOfRange(pair: 1, row: 3, count: 3)) {
            try Self.read(header, changed(8, 3)) { _ in }
        }
        #expect(throws: BodyError.expertOutOfRange(pair: 2, expert: 16, count: 16)) {
            try Self.read(header, changed(20, 16)) { _ in }
        }
        #expect(throws: BodyError.rankOutOfRange(pair: 3, rank: 2, count: 2)) {
            try Self.read(header, changed(30, 2)) { _ in }
        }
    }

    @Test("Counts that no session agreed on are refused before the payload is looked at")
    func counts() {
        let header = FrameHeader(
            kind: .dispatch, dtype: .bf16, rowCount: .max, pairCount: .max, payloadLength: 0)
        #expect(throws: BodyError.tooManyRows(Int(UInt32.max), limit: 8)) { try Self.read(header, []) { _ in } }
        let wrongDType = FrameHeader(kind: .dispatch, dtype: .f32, payloadLength: 0)
        #expect(throws: BodyError.wrongDType(.f32, expected: .bf16)) { try Self.read(wrongDType, []) { _ in } }
        #expect(throws: BodyError.wrongKind(.combine)) {
            try Self.read(FrameHeader(kind: .combine, payloadLength: 0), []) { _ in }
        }
    }

    @Test("Random headers and payloads never read outside the payload")
    func mutation() {
        var generator = SeededGenerator(seed: 5)
        let (header, payload, _) = Self.sample()
        for _ in 0..<5_000 {
            let changedHeader = FrameHeader(
                kind: .dispatch, dtype: .bf16, rowCount: header.rowCount &+ .random(in: 0...1, using: &generator),
                pairCount: header.pairCount &+ .random(in: 0...1, using: &generator), payloadLength: payload.count)
            var changed = payload
            changed[Int.random(in: 0..<changed.count, using: &generator)] = UInt8(truncatingIfNeeded: generator.next())
            try? Self.read(changedHeader, changed) { body in
                #expect(body.pairs.allSatisfy { $0.row < 3 && $0.expert < 16 && $0.rank < 2 })
            }
        }
    }

    @Test(
        "A row of FP8 is its scales, its codes and at most three bytes more, and is answered in bf16",
        arguments: [(1, 8), (127, 132), (128, 132), (129, 140), (130, 140), (7168, 7392)])
    func fp8Rows(_ values: Int, _ byteCount: Int) throws {
        let shape = RowShape(hiddenSize: values, dtype: .fp8)
        #expect(shape.byteCount == byteCount)
        #expect(shape.answerByteCount == 2 * values)
        #expect(DispatchBody.byteCount(rows: 3, pairs: 2, shape: shape) == 16 + 3 * byteCount)
        let dispatch = FrameHeader(kind: .dispatch, dtype: .fp8, rowCount: 1, pairCount: 2, payloadLength: 0)
        let header = CombineBody.header(answering: dispatch, shape: shape, elapsedMicroseconds: 1)
        #expect(header.dtype == .bf16 && Int(header.payloadLength) == 4 * values)
        let answers = [UInt8](repeating: 0, count: 4 * values)
        try answers.withUnsafeBytes { bytes in
            _ = try CombineBody(header: header, payload: bytes, shape: shape, expectedPairs: 2)
            let wrong = FrameHeader(kind: .combine, dtype: .fp8, pairCount: 2, payloadLength: bytes.count)
            #expect(throws: BodyError.wrongDType(.fp8, expected: .bf16)) {
                try CombineBody(header: wrong, payload: bytes, shape: shape, expectedPairs: 2)
            }
        }
    }

    @Test("A combine's answers come back in pair order")
    func combineRoundTrip() throws {
        let dispatch = FrameHeader(
            kind: .dispatch, dtype: .bf16, epoch: 4, layer: 5, flight: 6, rowCount: 2, pairCount: 3, payloadLength: 48)
        let header = CombineBody.header(answering: dispatch, shape: Self.shape, elapsedMicroseconds: 12)
        #expect(header.flight == 6 && header.layer == 5 && header.epoch == 4 && header.elapsedMicroseconds == 12)
        let answers = (0..<3 * Self.shape.hiddenSize).map { UInt16($0) }
        try answers.withUnsafeBytes { bytes in
            let body = try CombineBody(header: header, payload: bytes, shape: Self.shape, expectedPairs: 3)
            #expect(body.answer(2).loadUnaligned(as: UInt16.self) == UInt16(2 * Self.shape.hiddenSize))
            #expect(throws: BodyError.wrongPairCount(3, expected: 4)) {
                try CombineBody(header: header, payload: bytes, shape: Self.shape, expectedPairs: 4)
            }
            #expect(throws: BodyError.wrongLength(byteCount: bytes.count - 1, expected: bytes.count)) {
                try CombineBody(
                    header: header, payload: UnsafeRawBufferPointer(rebasing: bytes.dropLast()), shape: Self.shape,
                    expectedPairs: 3)
            }
        }
    }
}
