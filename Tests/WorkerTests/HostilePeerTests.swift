import Checkpoint
import Cluster
import Foundation
import TestSupport
import Testing
import Transport
import Wire

/// What a worker that gives experts does with those who want something else.
@Suite struct HostilePeerTests {
    private let checkpoint: Checkpoint
    private let slot: Slot
    private let secret = ClusterSecret.random()

    init() throws {
        checkpoint = try Checkpoint(folder: Fixture("v2-lite").model)
        slot = Slot(layer: checkpoint.config.denseLayerCount, expert: 0, rank: 0)
    }

    private func source(_ log: LineLog = LineLog()) throws -> (WorkerScene, port: Int) {
        let scene = try WorkerScene(checkpoint, slots: [slot], secret: secret, log: log)
        return (scene, try scene.ready().peerPort)
    }

    private var request: ControlMessage {
        .fetch(SliceRequest(layer: slot.layer, expert: 0, rank: 0, tensorParallelSize: 1))
    }

    private func proven(_ port: Int) throws -> Fetcher {
        let fetcher = try Fetcher(port: port)
        guard case .control(.ready) = try fetcher.shakeHands(secret, fingerprint: try checkpoint.fingerprint) else {
            throw WorkerScene.Failure(description: "the source does not accept the secret")
        }
        return fetcher
    }

    /// Whether a worker that knows how to ask gets the expert.
    private func isServed(_ port: Int) throws -> Bool {
        let fetcher = try proven(port)
        try fetcher.link.send(request)
        guard case .control(.slice) = fetcher.next() else { return false }
        try fetcher.link.send(.read(SliceRange(offset: 5, byteCount: 1000)))
        guard case .chunk(let bytes) = fetcher.next() else { return false }
        return bytes.count == 1000
    }

    @Test("garbage is sent away with one log line, and others are served")
    func garbage() throws {
        let log = LineLog()
        let (scene, port) = try source(log)
        var generator = SplitMix(seed: 4)
        for count in 0..<200 {
            let raw = try RawSocket(port: port)
            raw.write((0..<(48 + count * 7)).map { _ in UInt8(truncatingIfNeeded: generator.next()) })
            #expect(raw.isClosedByPeer())
        }
        #expect(try isServed(port))
        #expect(log.text.count == 200)
        #expect(log.text.allSatisfy { $0.contains("127.0.0.1:") && $0.contains("0x") })
        #expect(scene.close())
    }

    @Test("a stranger may not send more than two kilobytes, nor ask before it has proved the secret")
    func stranger() throws {
        let (scene, port) = try source()
        let large = try RawSocket(port: port)
        var header = [UInt8](repeating: 0, count: FrameHeader.byteCount)
        header.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            FrameHeader(kind: .hello, payloadLength: WireLimit.unauthenticatedPayload + 1).encode(into: start)
        }
        large.write(header)
        #expect(large.isClosedByPeer())
        let early = try Fetcher(port: port)
        try early.link.send(request)
        #expect(early.next() == .closed)
        #expect(try isServed(port))
        #expect(scene.close())
    }

    @Test("random requests of a peer that knows the secret crash nothing and give nothing that is not held")
    func requests() throws {
        let (scene, port) = try source()
        var generator = SplitMix(seed: 12)
        let numbers = [0, 1, 2, 3, 7, 255, 65_536, Int(UInt32.max)]
        func any() -> Int { numbers.randomElement(using: &generator) ?? 0 }
        var fetcher = try proven(port)
        for _ in 0..<2_000 {
            let message: ControlMessage =
                Bool.random(using: &generator)
                ? .fetch(SliceRequest(layer: any(), expert: any(), rank: any(), tensorParallelSize: any()))
                : .read(
                    SliceRange(
                        offset: [any(), .max, .max - 1].randomElement(using: &generator) ?? 0,
                        byteCount: [any(), .max, WireLimit.chunkPayload + 1].randomElement(using: &generator) ?? 0))
            try fetcher.link.send(message)
            switch fetcher.next() {
            case .closed: fetcher = try proven(port)
            case .control(.slice): if case .fetch(let asked) = message { #expect(asked.layer == slot.layer) }
            case .control(.failure), .chunk: break
            case let other: Issue.record("\(other)")
            }
        }
        #expect(try isServed(port))
        #expect(scene.close())
    }

    @Test("mutated frames of a peer that knows the secret crash nothing")
    func mutated() throws {
        let (scene, port) = try source()
        var generator = SplitMix(seed: 5)
        let messages = [
            request, .read(SliceRange(offset: 0, byteCount: 64)), .goodbye(Goodbye(reason: "?")), .heartbeat,
        ]
        for _ in 0..<300 {
            let fetcher = try proven(port)
            try fetcher.link.send(request)
            _ = fetcher.next()
            var payload = try messages.randomElement(using: &generator)?.encoded() ?? []
            if !payload.isEmpty {
                payload[Int.random(in: 0..<payload.count, using: &generator)] = UInt8(
                    truncatingIfNeeded: generator.next())
            }
            let kind = FrameKind.allCases.randomElement(using: &generator) ?? .fetch
            try payload.withUnsafeBytes {
                try fetcher.link.send(FrameHeader(kind: kind, payloadLength: $0.count), [$0])
            }
        }
        #expect(try isServed(port))
        #expect(scene.close())
    }

    @Test("a peer that asks and does not take what it asked for is cut off, and others are served")
    func greedy() throws {
        let (scene, port) = try source()
        let raw = try proven(port)
        try raw.link.send(request)
        guard case .control(.slice(let slice)) = raw.next() else {
            Issue.record("the source does not give what it holds")
            return
        }
        let byteCount = slice.gate.rows * slice.gate.columns
        var isCut = false
        let deadline = Date() + 20
        while !isCut, Date() < deadline {
            do {
                try raw.link.send(.read(SliceRange(offset: 0, byteCount: byteCount)))
            } catch {
                isCut = true
            }
        }
        #expect(isCut)
        #expect(try isServed(port))
        #expect(scene.close())
    }

    @Test("who reads beyond the end of a slice is cut off, and the line says what it asked for")
    func beyond() throws {
        let log = LineLog()
        let (scene, port) = try source(log)
        let fetcher = try proven(port)
        try fetcher.link.send(request)
        guard case .control(.slice) = fetcher.next() else {
            Issue.record("the source does not give what it holds")
            return
        }
        try fetcher.link.send(.read(SliceRange(offset: 1 << 40, byteCount: 17)))
        #expect(fetcher.next() == .closed)
        #expect(try isServed(port))
        #expect(log.text.count == 1 && log.text[0].contains("17 bytes from \(1 << 40) on"), "\(log.text)")
        #expect(scene.close())
    }

    @Test("when all places are taken a worker waits for one, and the source has nothing to log of it")
    func busy() throws {
        let log = LineLog()
        let (scene, port) = try source(log)
        var others = try (0..<8).map { _ in try proven(port) }
        let answer = try Fetcher(port: port).shakeHands(secret, fingerprint: try checkpoint.fingerprint)
        guard case .control(.failure(let refusal)) = answer else {
            Issue.record("a ninth got \(answer)")
            return
        }
        #expect(refusal.status == 75)
        let target = try WorkerScene(checkpoint, modelPath: "/nowhere/model", secret: secret)
        _ = try target.ready()
        try target.order(1, [slot]) { $0.source = PeerAddress(host: "127.0.0.1", port: port) }
        #expect(throws: WorkerScene.Failure.self) { try target.next(within: .milliseconds(300)) }
        #expect(others.count { $0.link.closeReason == nil } == 8)
        others.removeAll()
        #expect(try target.ready(order: 1).expertSlots == 1)
        #expect(target.close() && scene.close())
        #expect(log.text.isEmpty, "\(log.text)")
    }

    @Test("when too many are silent the oldest goes, each with one line, and who proves itself is served")
    func crowd() throws {
        let log = LineLog()
        let (scene, port) = try source(log)
        let silent = try (0..<20).map { _ in try RawSocket(port: port) }
        #expect(try isServed(port))
        let lines = log.text
        #expect(silent[0].isClosedByPeer())
        #expect(lines.count == 5 && lines.allSatisfy { $0.contains("newer connections") }, "\(lines)")
        #expect(scene.close())
    }
}
