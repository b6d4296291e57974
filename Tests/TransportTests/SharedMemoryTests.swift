import Foundation
import TestSupport
import Testing
import Transport
import Wire

@Suite struct SharedMemoryTests {
    /// Two ends of a connection that share memory, and what the second one gets.
    private struct Pair {
        let near: TCPLink
        let far: any Link
        let exchange: TCPExchange
        let log = ExchangeLog()

        init(byteCount: Int) throws {
            (near, far) = try TCPLink.pair()
            let memory = try SharedMemory(sending: byteCount, receiving: byteCount)
            near.share(memory)
            far.share(try SharedMemory(opening: memory.path))
            exchange = try TCPExchange()
            exchange.add(far)
        }

        func receive(_ count: Int) -> Bool { log.wait(on: exchange, until: { log.frames.count >= count }) }
    }

    private static func bytes(_ count: Int, _ seed: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: ($0 &+ seed) &* 31) }
    }

    @Test("Payloads come as they were sent and in order, those that find no room with their headers")
    func mixed() throws {
        let pair = try Pair(byteCount: 16 << 10)
        var generator = SeededGenerator(seed: 5)
        var sent: [[UInt8]] = []
        for _ in 0..<60 {
            for _ in 0..<Int.random(in: 1...9, using: &generator) {
                sent.append(Self.bytes(.random(in: 0...5000, using: &generator), sent.count))
                try pair.near.send(bytes: sent[sent.count - 1], flight: UInt64(sent.count))
            }
            #expect(pair.receive(sent.count))
        }
        #expect(pair.log.frames.map(\.payload) == sent)
        #expect(pair.log.frames.map(\.header.flight) == (1...UInt64(sent.count)).map { $0 })
        let inMemory = pair.log.frames.count { $0.header.location > 0 }
        #expect(inMemory > sent.count / 2 && inMemory < sent.count)
        #expect(pair.far.counters.bytesIn == pair.near.counters.bytesOut)
    }

    @Test("Words go over the connection, and so do payloads as long as the peer has not opened the memory")
    func overTheConnection() throws {
        let pair = try Pair(byteCount: 4096)
        try pair.near.send(.goodbye(Goodbye(reason: "drained")))
        let (near, far) = try TCPLink.pair()
        let memory = try SharedMemory(sending: 4096, receiving: 4096)
        near.share(memory)
        try near.send(bytes: [1])
        far.share(try SharedMemory(opening: memory.path))
        try near.send(bytes: [2])
        pair.exchange.add(far)
        #expect(pair.receive(3))
        #expect(pair.log.frames.filter { $0.header.kind == .goodbye }.allSatisfy { $0.header.location == 0 })
        #expect(pair.log.frames.filter { $0.payload == [1] }.map { $0.header.location > 0 } == [false])
        #expect(pair.log.frames.filter { $0.payload == [2] }.map { $0.header.location > 0 } == [true])
    }

    @Test("A payload that is kept stays as it is until it is released, and takes its room as long")
    func kept() throws {
        let pair = try Pair(byteCount: 4096)
        var kept: UnsafeRawBufferPointer?
        func next(_ payload: [UInt8], keeping: Bool = false) throws -> Bool {
            try pair.near.send(bytes: payload)
            var isInMemory: Bool?
            while isInMemory == nil {
                let deadline = MonotonicTime().now() + .seconds(10)
                let result = pair.exchange.wait(until: deadline, spin: .zero) { event in
                    guard case .frame(let link, let header, let bytes) = event else { return }
                    isInMemory = header.location > 0
                    #expect(bytes.elementsEqual(payload))
                    if keeping {
                        #expect(link.keepPayload() == (header.location > 0))
                        kept = bytes
                    }
                }
                guard result == .delivered else { return false }
            }
            return isInMemory ?? false
        }
        let first = Self.bytes(3000, 1)
        #expect(try next(first, keeping: true))
        #expect(try next(Self.bytes(1000, 2)), "there is room for it beside the first")
        #expect(try !next(Self.bytes(1000, 3)), "what came after the one that is kept is not given back either")
        #expect(try !next(Self.bytes(100, 4), keeping: true), "it came with its header, and cannot be kept")
        #expect(kept?.count == 100)
        pair.far.releasePayload()
        #expect(try next(Self.bytes(4000, 5), keeping: true))
        #expect(kept?.elementsEqual(Self.bytes(4000, 5)) == true)
        pair.far.releasePayload()
        #expect(try next(Self.bytes(4000, 6)))
    }

    @Test("A payload that is put together in room that was lent is found there")
    func lent() throws {
        let pair = try Pair(byteCount: 8192)
        _ = try #require(pair.near.lend(byteCount: 5000), "what was lent and not used is taken back")
        let room = try #require(pair.near.lend(byteCount: 5000))
        let payload = Self.bytes(5000, 7)
        room.copyMemory(from: payload, byteCount: payload.count)
        let header = FrameHeader(kind: .combine, flight: 1, payloadLength: payload.count)
        try pair.near.send(header, [UnsafeRawBufferPointer(start: room, count: payload.count)])
        #expect(pair.receive(1))
        #expect(pair.log.frames[0].payload == payload && pair.log.frames[0].header.location == 1)
        #expect(pair.near.lend(byteCount: 8193) == nil)
        _ = pair.near.lend(byteCount: 8192)
        try pair.near.send(bytes: payload, flight: 2)
        #expect(pair.receive(2))
        #expect(pair.log.frames[1].payload == payload && pair.log.frames[1].header.location == 1)
    }

    @Test(
        "A location where no memory is shared, or outside of it, closes the link", arguments: [1, 64, 65, UInt32.max])
    func outside(location: UInt32) throws {
        let (exchange, listener) = try TCPExchange.listening()
        let peer = try RawSocket(port: listener.port)
        let log = ExchangeLog()
        #expect(log.wait(on: exchange, until: { !log.accepted.isEmpty }))
        if location > 1 { log.accepted[0].share(try SharedMemory(sending: 4096, receiving: 4096)) }
        var header = FrameHeader(kind: .dispatch, payloadLength: 65)
        header.location = location
        var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount)
        bytes.withUnsafeMutableBytes { header.encode(into: $0.baseAddress!) }
        peer.write(bytes)
        #expect(log.wait(on: exchange, until: { !log.closed.isEmpty }))
        #expect(log.closed[0].reason == .badFrame(.outsideMemory(location: location, byteCount: 65)))
        #expect(log.frames.isEmpty)
    }

    @Test("What is no coordinator's memory is refused by its path")
    func otherFiles() throws {
        let file = FileManager.default.temporaryDirectory.path + "/cohort-\(UUID().uuidString)"
        try Data(count: 8192).write(to: URL(fileURLWithPath: file))
        defer { try? FileManager.default.removeItem(atPath: file) }
        for path in [file, file + "-missing", "/dev/null"] {
            let error = #expect(throws: TransportError.self) { try SharedMemory(opening: path) }
            #expect(error?.place == path)
        }
    }

    @Test("A name within this host is listened on by one, and dialled like an address")
    func names() throws {
        let name = "@cohort-test-\(UInt64.random(in: .min ... .max))"
        let listener = try TCPListener(host: name, port: 0)
        #expect(listener.address == name)
        let taken = #expect(throws: TransportError.self) { try TCPListener(host: name, port: 0) }
        #expect(taken?.kind == .addressInUse)
        let exchange = try TCPExchange(listener: listener)
        let deadline = MonotonicTime().now() + .seconds(5)
        let near = try TCPLink.connect(host: name, port: 0, deadline: deadline)
        #expect(near.peer == name && near.localHost == nil)
        try near.send(.heartbeat)
        let log = ExchangeLog()
        #expect(log.wait(on: exchange, until: { log.frames.map(\.header.kind) == [.heartbeat] }))
        let missing = #expect(throws: TransportError.self) {
            try TCPLink.connect(host: name + "-none", port: 0, deadline: deadline)
        }
        #expect(missing?.kind == .refused)
        #expect(throws: TransportError.self) {
            try TCPListener(host: "@" + String(repeating: "n", count: 100), port: 0)
        }
    }
}
