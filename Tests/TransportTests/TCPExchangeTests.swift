import Foundation
import TestSupport
import Testing
import Transport
import Wire

@Suite struct TCPExchangeTests {
    private static func now() -> Instant { MonotonicTime().now() }

    @Test("Peers that send garbage, a wrong length or half a frame are closed alone, and the others go on")
    func hostilePeers() throws {
        var limits = TCPExchange.Limits()
        limits.frameCompletion = .milliseconds(200)
        let (exchange, listener) = try TCPExchange.listening(limits: limits)
        let garbage = try RawSocket(port: listener.port)
        let tooLong = try RawSocket(port: listener.port)
        let stalled = try RawSocket(port: listener.port)
        let good = try (0..<3).map { _ in try RawSocket(port: listener.port) }
        let log = ExchangeLog()
        #expect(log.wait(on: exchange, until: { log.accepted.count == 6 }))

        garbage.write(Array("GET / HTTP/1.1\r\nHost: example.com\r\nAccept: everything\r\n\r\n".utf8))
        tooLong.write(Array(frameBytes(payload: [UInt8](repeating: 0, count: 1 << 20)).prefix(FrameHeader.byteCount)))
        stalled.write(Array(frameBytes(payload: [1, 2, 3]).dropLast()))
        for peer in good { peer.write(frameBytes(flight: 1, payload: [9])) }
        #expect(log.wait(on: exchange, until: { log.closed.count == 3 && log.frames.count == 3 }))
        for peer in good { peer.write(frameBytes(flight: 2, payload: [8, 7])) }
        #expect(log.wait(on: exchange, until: { log.frames.count == 6 }))

        let reasons = log.closed.map(\.reason)
        #expect(reasons.contains(.badFrame(.badMagic(0x2054_4547))))
        #expect(reasons.contains(.badFrame(.tooLong(byteCount: 1 << 20, limit: WireLimit.unauthenticatedPayload))))
        #expect(reasons.contains(.stalled))
        #expect(log.frames.suffix(3).allSatisfy { $0.payload == [8, 7] && $0.header.flight == 2 })
        #expect(garbage.read(1).isEmpty, "the other side of a closed link sees its end")
    }

    @Test("64 MB each way at once do not deadlock")
    func largeFramesBothWays() throws {
        let (near, far) = try TCPLink.pair()
        let outward = (0..<(64 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let inward = (0..<(64 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 11) }
        let other = Thread {
            guard let exchange = try? TCPExchange() else { return }
            exchange.add(far)
            try? far.send(bytes: inward)
            let log = ExchangeLog()
            _ = log.wait(on: exchange, until: { !log.frames.isEmpty || !log.closed.isEmpty })
            if log.frames.first?.payload == outward { try? far.send(.heartbeat) }
            _ = log.wait(on: exchange, until: { !log.closed.isEmpty })
        }
        other.start()
        let exchange = try TCPExchange()
        exchange.add(near)
        try near.send(bytes: outward)
        let log = ExchangeLog()
        #expect(log.wait(on: exchange, until: { log.frames.count == 2 || !log.closed.isEmpty }))
        let isWhole = log.frames.first?.payload == inward
        #expect(isWhole, "no message: one of 64 million bytes takes minutes to write")
        #expect(log.frames.last?.header.kind == .heartbeat, "the other side got all that was sent")
        near.close(.local("done"))
    }

    @Test("A link moves to another exchange between two frames, with what it has received already")
    func moving() throws {
        let (acceptor, listener) = try TCPExchange.listening()
        let peer = try RawSocket(port: listener.port)
        let step = try TCPExchange()
        peer.write((1...3).flatMap { frameBytes(flight: $0, payload: [UInt8](repeating: UInt8($0), count: Int($0))) })
        var seen: [UInt64] = []
        let deadline = Self.now() + .seconds(10)
        while seen.isEmpty, Self.now() < deadline {
            _ = acceptor.wait(until: deadline, spin: .zero) { event in
                guard case .frame(let link, let header, _) = event else { return }
                seen.append(header.flight)
                acceptor.remove(link)
                step.add(link)
            }
        }
        #expect(seen == [1])
        let log = ExchangeLog()
        #expect(log.wait(on: step, until: { log.frames.count == 2 }))
        #expect(log.frames.map(\.payload) == [[2, 2], [3, 3, 3]])
        peer.write(frameBytes(flight: 4, payload: []))
        #expect(log.wait(on: step, until: { log.frames.count == 3 }))
        #expect(acceptor.wait(until: Self.now() + .milliseconds(5), spin: .zero) { _ in } == .timedOut)
    }

    @Test("A stream of frames cut into random pieces arrives whole, aligned and in order")
    func pieces() throws {
        let (acceptor, listener) = try TCPExchange.listening()
        let peer = try RawSocket(port: listener.port)
        var generator = SeededGenerator(seed: 3)
        let payloads = (0..<400).map { index in
            (0..<Int.random(in: 0...(index % 50 == 0 ? 300_000 : 900), using: &generator)).map { _ in
                UInt8(truncatingIfNeeded: generator.next())
            }
        }
        let stream = payloads.enumerated().flatMap { frameBytes(flight: UInt64($0.offset), payload: $0.element) }
        var cuts = [0]
        while cuts.last! < stream.count {
            cuts.append(min(stream.count, cuts.last! + Int.random(in: 1...20_000, using: &generator)))
        }
        let pieces = zip(cuts, cuts.dropFirst()).map { Array(stream[$0..<$1]) }
        Thread { for piece in pieces { peer.write(piece) } }.start()
        var received: [[UInt8]] = []
        let deadline = Self.now() + .seconds(10)
        while received.count < payloads.count, Self.now() < deadline {
            _ = acceptor.wait(until: deadline, spin: .microseconds(50)) { event in
                if case .accepted(let link) = event { link.maximumPayload = 1 << 20 }
                guard case .frame(_, let header, let payload) = event else { return }
                #expect(header.flight == UInt64(received.count))
                #expect(UInt(bitPattern: payload.baseAddress) % 16 == 0)
                received.append(Array(payload))
            }
        }
        #expect(received == payloads)
    }

    @Test("More segments than one system call gathers arrive in order")
    func manySegments() throws {
        let (near, far) = try TCPLink.pair()
        let bytes = (0..<5_000).map { UInt8(truncatingIfNeeded: $0 / 3) }
        try bytes.withUnsafeBytes { bytes in
            let segments = (0..<2_500).map { UnsafeRawBufferPointer(rebasing: bytes[($0 * 2)..<($0 * 2 + 2)]) }
            let empty = UnsafeRawBufferPointer(start: nil, count: 0)
            try near.send(FrameHeader(kind: .combine, payloadLength: bytes.count), [empty] + segments + [empty])
        }
        let exchange = try TCPExchange()
        exchange.add(far)
        let log = ExchangeLog()
        #expect(log.wait(on: exchange, until: { !log.frames.isEmpty }))
        #expect(log.frames[0].payload == bytes)
        #expect(far.counters.bytesIn == UInt64(FrameHeader.byteCount + bytes.count) && far.counters.framesIn == 1)
        #expect(near.counters.bytesOut == far.counters.bytesIn && near.counters.framesOut == 1)
    }

    @Test("A peer that takes nothing is an error once the queue is full, and costs no more memory")
    func congestion() throws {
        let limit = 32 << 20
        let (near, far) = try TCPLink.pair(queueLimit: limit)
        let frame = [UInt8](repeating: 1, count: 4 << 20)
        var sent = 0
        let error = #expect(throws: TransportError.self) {
            for _ in 0..<100 {
                try near.send(bytes: frame)
                sent += frame.count
            }
        }
        #expect(error?.kind == .congested)
        let socketBuffers = 32 << 20
        #expect(sent >= limit - frame.count && sent <= limit + socketBuffers)
        #expect(near.closeReason == nil, "nothing was cut, so the link is as good as before")
        let exchange = try TCPExchange()
        exchange.add(far)
        let flusher = try TCPExchange()
        flusher.add(near)
        let log = ExchangeLog()
        let deadline = Self.now() + .seconds(10)
        while log.frames.count < sent / frame.count, Self.now() < deadline {
            _ = flusher.wait(until: Self.now(), spin: .zero, log.record)
            _ = exchange.wait(until: Self.now() + .milliseconds(1), spin: .zero, log.record)
        }
        #expect(log.frames.count == sent / frame.count, "what was queued arrives once the peer reads again")
        near.close(.local("over"))
        far.close(.local("over"))
    }
}
