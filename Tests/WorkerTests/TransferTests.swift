import Checkpoint
import Cluster
import Foundation
import Kernels
import Synchronization
import TestSupport
import Testing
import Transport
import Wire

/// Experts on their way from one worker to another.
@Suite struct TransferTests {
    private static let nowhere = "/nowhere/model"
    private let checkpoint: Checkpoint
    private let slots: [Slot]
    private let secret = ClusterSecret.random()

    init() throws {
        checkpoint = try Checkpoint(folder: Fixture("fp8-odd").model)
        slots = Self.slots(checkpoint.config, ranks: 1)
    }

    private static func slots(_ config: ModelConfig, ranks: Int) -> [Slot] {
        (0..<min(config.expertCount, 12)).flatMap { expert in
            (0..<ranks).map { Slot(layer: config.denseLayerCount, expert: expert, rank: $0) }
        }
    }

    private func row(_ count: Int) -> [Float] {
        var generator = SplitMix(seed: 8)
        return (0..<count).map { _ in Float.random(in: -2...2, using: &generator) }
    }

    /// A worker that has nothing and no checkpoint.
    private func poor(_ log: LineLog = LineLog()) throws -> WorkerScene {
        let scene = try WorkerScene(checkpoint, modelPath: Self.nowhere, secret: secret, log: log)
        let report = try scene.ready()
        #expect(!report.readsCheckpoint && report.peerPort > 0)
        return scene
    }

    private func rich(_ log: LineLog = LineLog()) throws -> (WorkerScene, PeerAddress) {
        let scene = try WorkerScene(checkpoint, slots: slots, secret: secret, log: log)
        return (scene, PeerAddress(host: "127.0.0.1", port: try scene.ready().peerPort))
    }

    @Test(
        "what one worker fetches from another answers bit for bit as what that one read",
        arguments: ["fp8-odd", "tiny-r1-fp8", "tiny-r1-bf16", "v2-lite"], [1, 2, 3])
    func sameBits(fixture: String, ranks: Int) throws {
        let checkpoint = try Checkpoint(folder: Fixture(fixture).model)
        let slots = Self.slots(checkpoint.config, ranks: ranks)
        let source = try WorkerScene(checkpoint, slots: slots, tensorParallelSize: ranks, secret: secret)
        let port = try source.ready().peerPort
        let target = try WorkerScene(
            checkpoint, tensorParallelSize: ranks, modelPath: Self.nowhere, secret: secret)
        #expect(try !target.ready().readsCheckpoint)
        try target.order(1, slots) { $0.source = PeerAddress(host: "127.0.0.1", port: port) }
        #expect(try target.ready(order: 1).expertSlots == slots.count)
        let row = row(checkpoint.config.hiddenSize)
        for (flight, slot) in slots.enumerated() {
            try source.dispatch(UInt64(flight), [slot], row: row)
            try target.dispatch(UInt64(flight), [slot], row: row)
            #expect(try source.answer(UInt64(flight)) == target.answer(UInt64(flight)), "\(slot)")
        }
        #expect(source.close() && target.close())
    }

    @Test(
        "converted experts are fetched as they are held, and answer as those that were read and converted",
        arguments: HeldDType.allCases, [1, 3])
    func convertedBits(held: HeldDType, ranks: Int) throws {
        let slots = Self.slots(checkpoint.config, ranks: ranks)
        let source = try WorkerScene(
            checkpoint, slots: slots, tensorParallelSize: ranks, expertDType: held, secret: secret)
        let report = try source.ready()
        let reader = try WorkerScene(checkpoint, tensorParallelSize: ranks, expertDType: held, secret: secret)
        _ = try reader.ready()
        try reader.order(1, slots)
        #expect(try reader.ready(order: 1).loadedBytes == report.loadedBytes)
        let target = try WorkerScene(
            checkpoint, tensorParallelSize: ranks, modelPath: Self.nowhere, expertDType: held, secret: secret)
        _ = try target.ready()
        try target.order(1, slots) { $0.source = PeerAddress(host: "127.0.0.1", port: report.peerPort) }
        #expect(try target.ready(order: 1).loadedBytes == report.loadedBytes)
        let row = row(checkpoint.config.hiddenSize)
        for (flight, slot) in slots.enumerated() {
            for scene in [source, reader, target] { try scene.dispatch(UInt64(flight), [slot], row: row) }
            let answer = try source.answer(UInt64(flight))
            #expect(try reader.answer(UInt64(flight)) == answer && target.answer(UInt64(flight)) == answer, "\(slot)")
        }
        #expect(source.close() && reader.close() && target.close())
    }

    @Test("experts that are held as something else than ordered are refused, and so is an unknown dtype")
    func otherDTypes() throws {
        let (stored, address) = try rich()
        let int8 = try WorkerScene(checkpoint, slots: slots, expertDType: .int8, secret: secret)
        let port = try int8.ready().peerPort
        let target = try WorkerScene(checkpoint, modelPath: Self.nowhere, expertDType: .int4, secret: secret)
        _ = try target.ready()
        let sources = [address, PeerAddress(host: "127.0.0.1", port: port)]
        for (number, source) in sources.enumerated() {
            try target.order(UInt64(number + 1), [slots[0]]) { $0.source = source }
            #expect(try target.failure(order: UInt64(number + 1)).contains("shape"))
        }
        let plain = try poor()
        try plain.order(1, [slots[0]]) { $0.source = PeerAddress(host: "127.0.0.1", port: port) }
        #expect(try plain.failure(order: 1).contains("shape"))
        try plain.order(2, [slots[0]]) { $0.expertDType = "int8" }
        #expect(try plain.failure(order: 2).contains("order 2"))
        #expect(stored.close() && int8.close() && target.close() && plain.close())
    }

    @Test("who fetched may be fetched from, and the source may have let go since")
    func handedOn() throws {
        let (source, address) = try rich()
        let (second, third) = (try poor(), try poor())
        try second.order(1, slots) { $0.source = address }
        _ = try second.ready(order: 1)
        #expect(source.close())
        let port = second.peerPort
        try third.order(2, [slots[3]]) { $0.source = PeerAddress(host: "127.0.0.1", port: port) }
        #expect(try third.ready(order: 2).expertSlots == 1)
        try second.release([slots[3]])
        try second.order(4, [])
        _ = try second.ready(order: 4)
        try third.order(3, [slots[4], slots[3]]) { $0.source = PeerAddress(host: "127.0.0.1", port: port) }
        #expect(try third.ready(order: 3).expertSlots == 2)
        try third.order(5, [slots[5]]) { $0.source = PeerAddress(host: "127.0.0.1", port: port) }
        #expect(try third.ready(order: 5).expertSlots == 3)
        try third.release([slots[3]])
        try third.order(6, [slots[3]]) { $0.source = PeerAddress(host: "127.0.0.1", port: port) }
        #expect(try third.failure(order: 6).contains("not held"))
        #expect(second.close() && third.close())
    }

    @Test("without a checkpoint an order that names no worker fails, and says what to do")
    func noCheckpoint() throws {
        let log = LineLog()
        let target = try poor(log)
        #expect(log.text.count == 1 && log.text[0].contains(Self.nowhere))
        try target.order(1, slots)
        #expect(try target.failure(order: 1).contains("--model"))
        try target.order(2, [])
        #expect(try target.ready(order: 2).expertSlots == 0)
        #expect(target.close())
    }

    @Test("a folder where nothing is mounted is no checkpoint; a broken one is an error")
    func emptyFolder() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("empty-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let scene = try WorkerScene(checkpoint, modelPath: folder.path, secret: secret)
        #expect(try !scene.ready().readsCheckpoint)
        #expect(scene.close())
        try Data("{}".utf8).write(to: folder.appendingPathComponent("config.json"))
        let broken = try WorkerScene(checkpoint, modelPath: folder.path, secret: secret)
        #expect(try broken.failure(order: 0).contains(folder.path))
        #expect(broken.ends())
    }

    @Test("a worker of another cluster gets nothing, and one line says so")
    func wrongSecret() throws {
        let log = LineLog()
        let (source, address) = try rich(log)
        let target = try WorkerScene(checkpoint, modelPath: Self.nowhere)
        _ = try target.ready()
        try target.order(1, slots) { $0.source = address }
        #expect(try target.failure(order: 1).contains("secret"))
        #expect(log.first(within: 10)?.contains("secret") == true)
        #expect(log.text.count == 1, "\(log.text)")
        let stranger = try Fetcher(port: address.port)
        #expect(throws: HandshakeError.wrongSecret) { try stranger.shakeHands(.random(), fingerprint: [1]) }
        #expect(try Fetcher(port: address.port).shakeHands(secret, fingerprint: [1]) != .closed)
        #expect(source.close() && target.close())
    }

    @Test("a source that dies, lies or talks out of turn costs the order and nothing else")
    func badSources() throws {
        let target = try poor()
        let good = try WorkerScene(checkpoint, slots: slots, secret: secret)
        let port = try good.ready().peerPort
        let description = try Self.description(of: slots[0], checkpoint, secret, port)
        let scripts: [ScriptedSource.Script] = [
            { _, _, link in link.close(.local("dead")) },
            { message, header, link in
                if case .fetch = message {
                    try link.send(.slice(description), flight: header.flight)
                } else {
                    link.close(.local("dies midway"))
                }
            },
            { message, header, link in
                if case .read = message { return try Self.send(3, header, link) }
                try link.send(.slice(description), flight: header.flight)
            },
            { message, header, link in
                guard case .read(let range) = message else {
                    return try link.send(.slice(description), flight: header.flight)
                }
                let stray = FrameHeader(kind: .chunk, flight: header.flight + 1, payloadLength: 0)
                try Self.send(range.byteCount, stray, link)
            },
            { _, header, link in try link.send(.slice(description), flight: header.flight + 1) },
            { _, _, link in try link.send(.goodbye(Goodbye(reason: "no"))) },
            { _, header, link in
                try link.send(.failure(FailureReport(message: "no", status: 1)), flight: header.flight)
            },
            { _, header, link in try Self.send(100, header, link) },
        ]
        for (number, script) in scripts.enumerated() {
            let source = try ScriptedSource(secret, script)
            try target.order(UInt64(number + 1), [slots[0], slots[1]]) { $0.source = source.address }
            #expect(try !target.failure(order: UInt64(number + 1)).isEmpty, "script \(number)")
            source.close()
        }
        try target.order(99, slots) { $0.source = PeerAddress(host: "127.0.0.1", port: port) }
        #expect(try target.ready(order: 99).expertSlots == slots.count)
        #expect(target.close() && good.close())
    }

    @Test("a slice of another shape than the model's is refused before memory is taken")
    func otherShapes() throws {
        let target = try poor()
        let (source, address) = try rich()
        let right = try Self.description(of: slots[0], checkpoint, secret, address.port)
        let changes: [@Sendable (inout SliceDescription) -> Void] = [
            { $0.gate.rows += 1 }, { $0.up.columns = 1 << 20 }, { $0.down.rows = 1 << 20 }, { $0.gate.dtype = 0 },
            { $0.gate.dtype = 99 }, { $0.up.block = nil }, { $0.down.block = .init(rows: 1, columns: 1) },
            { $0.gate.rowPhase = 1 }, { $0.down.columnPhase = 1 << 16 },
            { $0.up.dtype = 2 },
        ]
        for (number, change) in changes.enumerated() {
            var wrong = right
            change(&wrong)
            let liar = try ScriptedSource(secret) { [wrong] _, header, link in
                try link.send(.slice(wrong), flight: header.flight)
            }
            try target.order(UInt64(number + 1), [slots[0]]) { $0.source = liar.address }
            #expect(try target.failure(order: UInt64(number + 1)).contains("shape"), "change \(number)")
            liar.close()
        }
        #expect(target.close() && source.close())
    }

    @Test("while a source keeps an order waiting the worker serves, and a release ends the wait")
    func waits() throws {
        let asked = Mutex(0)
        let source = try ScriptedSource(secret) { _, _, _ in asked.withLock { $0 += 1 } }
        let target = try WorkerScene(checkpoint, slots: [slots[1]], secret: secret)
        _ = try target.ready()
        try target.order(1, [slots[0]]) { $0.source = source.address }
        while asked.withLock({ $0 }) == 0 { usleep(1000) }
        try target.dispatch(7, [slots[1]], row: row(checkpoint.config.hiddenSize))
        #expect(try !target.answer(7).isEmpty)
        try target.release([slots[0]])
        #expect(try target.ready(order: 1).expertSlots == 1)
        source.close()
        #expect(target.close())
    }

    /// What a worker that holds the slot says of it.
    private static func description(
        of slot: Slot, _ checkpoint: Checkpoint, _ secret: ClusterSecret, _ port: Int
    ) throws -> SliceDescription {
        let fetcher = try Fetcher(port: port)
        _ = try fetcher.shakeHands(secret, fingerprint: try checkpoint.fingerprint)
        try fetcher.link.send(
            .fetch(SliceRequest(layer: slot.layer, expert: slot.expert, rank: slot.rank, tensorParallelSize: 1)))
        guard case .control(.slice(let description)) = fetcher.next() else {
            throw WorkerScene.Failure(description: "no slice came")
        }
        return description
    }

    private static func send(_ byteCount: Int, _ header: FrameHeader, _ link: any Link) throws {
        let bytes = [UInt8](repeating: 7, count: byteCount)
        try bytes.withUnsafeBytes {
            try link.send(FrameHeader(kind: .chunk, flight: header.flight, payloadLength: byteCount), [$0])
        }
    }
}
