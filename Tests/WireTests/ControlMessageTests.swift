import Testing
import Wire

@Suite struct ControlMessageTests {
    static let samples: [ControlMessage] = [
        .hello(Hello(protocolVersion: 1, name: "wörker-0", nonce: Nonce(bytes: Array(0..<32)))),
        .challenge(Challenge(nonce: Nonce(bytes: Array(32..<64)), proof: Array(repeating: 7, count: 32))),
        .proof(
            Proof(
                proof: Array(repeating: 9, count: 32),
                worker: WorkerDescription(
                    name: "w", memoryBytes: 1 << 40, coreCount: 64, kernelSet: "avx512", modelPath: "/models/r1",
                    modelFingerprint: Array(repeating: 3, count: 32), processID: 4711))),
        .assignment(
            Assignment(
                epoch: 3, modelPath: "/m", modelFingerprint: [1, 2, 3], compute: "fast",
                rowShape: RowShape(hiddenSize: 7168, dtype: .bf16), tensorParallelSize: 2, maximumRows: 512,
                slots: [
                    .init(layer: 3, rank: 0, experts: [0, 5, 255]), .init(layer: 60, rank: 1, experts: []),
                    .init(layer: 4, rank: 1, experts: Array(0..<256)),
                ],
                model: ModelShape(
                    expertCount: 256, expertsPerToken: 8, expertWidth: 2048, layers: 3..<62,
                    block: .init(rows: 128, columns: 64)), source: PeerAddress(host: "fe80::1%eth0", port: 4242),
                expertDType: "int4", memoryPath: "/proc/4711/fd/12")),
        .progress(LoadProgress(loadedBytes: 5, totalBytes: .max)),
        .ready(
            ReadyReport(loadedBytes: 1, residentBytes: 2, expertSlots: 3, readsCheckpoint: true, peerPort: 65_535)),
        .failure(FailureReport(message: "no such folder", status: 66)),
        .goodbye(Goodbye(reason: "drained", isFinal: true)),
        .heartbeat,
        .release(SlotRelease(slots: [.init(layer: 7, rank: 0, experts: [3, 250])])),
        .fetch(SliceRequest(layer: 60, expert: 255, rank: 3, tensorParallelSize: 4)),
        .slice(
            SliceDescription(
                gate: .init(dtype: 3, rows: 512, columns: 7168, block: .init(rows: 128, columns: 128), rowPhase: 64),
                up: .init(dtype: 2, rows: 512, columns: 7168, block: nil),
                down: .init(
                    dtype: 3, rows: 7168, columns: 512, block: .init(rows: 128, columns: 64), columnPhase: 63))),
        .read(SliceRange(offset: 1 << 40, byteCount: 1 << 20)),
    ]

    private static func decode(_ kind: FrameKind, _ payload: [UInt8]) throws -> ControlMessage {
        try payload.withUnsafeBytes { try ControlMessage(kind: kind, payload: $0) }
    }

    @Test("Every message comes back as it was", arguments: samples)
    func roundTrip(message: ControlMessage) throws {
        #expect(try Self.decode(message.kind, message.encoded()) == message)
    }

    @Test("The samples cover every control kind")
    func coverage() {
        #expect(Set(Self.samples.map(\.kind)) == Set(FrameKind.allCases.filter { !$0.isTensor }))
    }

    @Test("A Failure stands on the wire as protobuf's published encoding has it")
    func protobufBytes() throws {
        let message = ControlMessage.failure(FailureReport(message: "no", status: 300))
        #expect(try message.encoded() == [0x0A, 2, 0x6E, 0x6F, 0x10, 0xAC, 0x02])
    }

    @Test("Every truncation decodes or throws, and never crashes", arguments: samples)
    func truncation(message: ControlMessage) throws {
        let payload = try message.encoded()
        for count in 0..<payload.count {
            let decoded = try? Self.decode(message.kind, Array(payload[..<count]))
            #expect(decoded != message)
        }
    }

    @Test("Random mutations of every message decode or throw, and never crash", arguments: samples)
    func mutation(message: ControlMessage) throws {
        var generator = SeededGenerator(seed: UInt64(message.kind.rawValue))
        let payload = try message.encoded()
        for _ in 0..<5_000 where !payload.isEmpty {
            var mutated = payload
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let index = Int.random(in: 0..<mutated.count, using: &generator)
                mutated[index] = UInt8(truncatingIfNeeded: generator.next())
            }
            if Bool.random(using: &generator) { mutated.append(contentsOf: mutated.prefix(40)) }
            _ = try? Self.decode(message.kind, mutated)
        }
    }

    @Test("Garbage of any length throws or decodes for every kind", arguments: FrameKind.allCases)
    func garbage(kind: FrameKind) {
        var generator = SeededGenerator(seed: 99)
        for count in 0..<2_000 {
            let payload = (0..<count % 257).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            _ = try? Self.decode(kind, payload)
        }
    }

    /// The longest payload there may be, of nothing but `pattern`.
    private static func filled(with pattern: [UInt8]) -> [UInt8] {
        (0..<WireLimit.controlPayload).map { pattern[$0 % pattern.count] }
    }

    @Test("A payload of nothing but empty groups is refused, whatever memory it asks for")
    func manyGroups() {
        let payload = Self.filled(with: [0x4A, 0])
        #expect(throws: ControlError.self) { try Self.decode(.assignment, payload) }
    }

    @Test("A payload of nothing but unknown fields is refused, whatever memory it asks for")
    func manyUnknownFields() {
        let payload = Self.filled(with: [0x78, 1])
        #expect(throws: ControlError.malformed(.goodbye)) { try Self.decode(.goodbye, payload) }
    }

    @Test("A field over its limit is refused by both sides, with its name")
    func limits() throws {
        let long = String(repeating: "x", count: WireLimit.messageBytes + 1)
        let expected = ControlError.tooLong(field: "reason", count: long.count, limit: WireLimit.messageBytes)
        #expect(throws: expected) { try ControlMessage.goodbye(Goodbye(reason: long)).encoded() }
        let length = [UInt8(truncatingIfNeeded: long.count) | 0x80, UInt8(long.count >> 7)]
        #expect(throws: expected) { try Self.decode(.goodbye, [0x0A] + length + Array(long.utf8)) }
    }

    @Test("An assignment for no rows, or for more rows or slices than any cluster has, is refused")
    func assignmentBounds() throws {
        guard case .assignment(let sample) = Self.samples[3] else { throw ControlError.notControl(.dispatch) }
        let changes: [(field: String, value: Int, path: WritableKeyPath<Assignment, Int>)] = [
            ("maximum_rows", 0, \.maximumRows), ("maximum_rows", WireLimit.rows + 1, \.maximumRows),
            ("tensor_parallel_size", 0, \.tensorParallelSize),
            ("tensor_parallel_size", WireLimit.ranks + 1, \.tensorParallelSize),
        ]
        for (field, value, path) in changes {
            var wrong = sample
            wrong[keyPath: path] = value
            let payload = try ControlMessage.assignment(wrong).encoded()
            #expect(throws: ControlError.outOfRange(field: field, value: UInt64(value))) {
                try Self.decode(.assignment, payload)
            }
        }
    }

    @Test("Text that is no UTF-8, or that has a NUL, is refused")
    func text() {
        #expect(throws: ControlError.notUTF8(field: "reason")) { try Self.decode(.goodbye, [0x0A, 2, 0xC3, 0x28]) }
        #expect(throws: ControlError.notUTF8(field: "reason")) {
            try ControlMessage.goodbye(Goodbye(reason: "a\0b")).encoded()
        }
    }

    @Test("A nonce or proof of another length than 32 bytes is refused")
    func fixedLengths() {
        #expect(throws: ControlError.wrongLength(field: "nonce", count: 2, expected: 32)) {
            try Self.decode(.hello, [0x08, 1, 0x12, 1, 0x61, 0x1A, 2, 1, 2])
        }
        #expect(throws: ControlError.wrongLength(field: "nonce", count: 0, expected: 32)) {
            try Self.decode(.challenge, [])
        }
    }

    @Test("A tensor frame is no control message, and a heartbeat has no payload")
    func kinds() {
        #expect(throws: ControlError.notControl(.dispatch)) { try Self.decode(.dispatch, []) }
        #expect(throws: ControlError.malformed(.heartbeat)) { try Self.decode(.heartbeat, [1]) }
    }

    @Test("The longest proof fits the frame that an unproven peer may send")
    func unauthenticatedLimit() throws {
        let worker = WorkerDescription(
            name: String(repeating: "n", count: WireLimit.nameBytes), memoryBytes: .max, coreCount: 1 << 31,
            kernelSet: String(repeating: "k", count: WireLimit.kernelSetBytes),
            modelPath: String(repeating: "p", count: WireLimit.pathBytes),
            modelFingerprint: Array(repeating: 1, count: WireLimit.fingerprintBytes), processID: .max)
        let payload = try ControlMessage.proof(Proof(proof: Array(repeating: 1, count: 32), worker: worker)).encoded()
        #expect(payload.count <= WireLimit.unauthenticatedPayload)
    }
}
