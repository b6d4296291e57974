import Foundation
import Synchronization
import Testing
import Transport
import Wire

@Suite struct InProcessExchangeTests {
    /// An exchange whose waits move `time` on to where something is due.
    private static func simulated(_ time: ManualTime) -> InProcessExchange {
        InProcessExchange(time: time) { time.advance(to: $0) }
    }

    @Test("Frames arrive in order, each after its delay, and the time moves only as far as it must")
    func delays() throws {
        let time = ManualTime()
        let (near, far) = InProcessLink.pair("c", "w", time: time) { _, byteCount in
            .milliseconds(byteCount > 50 ? 30 : 10)
        }
        let exchange = Self.simulated(time)
        exchange.add(far)
        try near.send(bytes: [1, 2, 3], flight: 1)
        try near.send(bytes: [4], flight: 2)
        let log = ExchangeLog()
        let deadline = Instant(nanoseconds: 1_000_000_000)
        #expect(exchange.wait(until: Instant(nanoseconds: 5_000_000), spin: .zero, log.record) == .timedOut)
        #expect(exchange.wait(until: deadline, spin: .zero, log.record) == .delivered)
        #expect(log.frames.map(\.header.flight) == [1, 2], "the quick frame waits for the slow one before it")
        #expect(log.frames.map(\.payload) == [[1, 2, 3], [4]])
        #expect(time.now() == Instant(nanoseconds: 30_000_000))
        #expect(exchange.wait(until: deadline, spin: .zero, log.record) == .timedOut)
        #expect(time.now() == deadline)
    }

    @Test("What was sent before the peer closed arrives, then its end")
    func closing() throws {
        let time = ManualTime()
        let (near, far) = InProcessLink.pair("c", "w", time: time) { _, _ in .milliseconds(1) }
        let exchange = Self.simulated(time)
        exchange.add(far)
        try near.send(.goodbye(Goodbye(reason: "drained")))
        near.close(.local("left"))
        #expect(throws: TransportError.self) { try far.send(.heartbeat) }
        let log = ExchangeLog()
        #expect(exchange.wait(until: .never, spin: .zero, log.record) == .delivered)
        #expect(exchange.wait(until: .never, spin: .zero, log.record) == .delivered || log.closed.count == 1)
        #expect(log.frames.map(\.header.kind) == [.goodbye])
        #expect(log.closed.map(\.reason) == [.peerClosed])
    }

    @Test("A frame over the limit closes the link alone")
    func limit() throws {
        let time = ManualTime()
        let (near, far) = InProcessLink.pair("c", "w", time: time)
        let exchange = Self.simulated(time)
        exchange.add(far)
        try near.send(bytes: [UInt8](repeating: 0, count: WireLimit.unauthenticatedPayload + 1))
        let log = ExchangeLog()
        _ = exchange.wait(until: .never, spin: .zero, log.record)
        let expected = FrameError.tooLong(
            byteCount: UInt64(WireLimit.unauthenticatedPayload + 1), limit: WireLimit.unauthenticatedPayload)
        #expect(log.closed.map(\.reason) == [.badFrame(expected)])
        #expect(near.closeReason == .peerClosed)
    }

    @Test("A link moves to another exchange from inside a handler")
    func moving() throws {
        let time = ManualTime()
        let (near, far) = InProcessLink.pair("c", "w", time: time)
        let (first, second) = (Self.simulated(time), Self.simulated(time))
        first.add(far)
        for flight in 1...3 { try near.send(bytes: [], flight: UInt64(flight)) }
        var seen: [UInt64] = []
        _ = first.wait(until: .never, spin: .zero) { event in
            guard case .frame(let link, let header, _) = event else { return }
            seen.append(header.flight)
            first.remove(link)
            second.add(link)
        }
        let log = ExchangeLog()
        _ = second.wait(until: .never, spin: .zero, log.record)
        #expect(seen == [1] && log.frames.map(\.header.flight) == [2, 3])
    }

    @Test("Two threads exchange frames, and a wake ends a sleep")
    func threads() throws {
        let (near, far) = InProcessLink.pair("c", "w", time: MonotonicTime())
        let echo = InProcessExchange()
        echo.add(far)
        Thread {
            var isOpen = true
            while isOpen {
                _ = echo.wait(until: .never, spin: .zero) { event in
                    switch event {
                    case .frame(let link, let header, let payload):
                        try? link.send(FrameHeader(kind: .combine, flight: header.flight, payloadLength: 2), [payload])
                    default: isOpen = false
                    }
                }
            }
        }.start()
        let exchange = InProcessExchange()
        exchange.add(near)
        let log = ExchangeLog()
        for flight in 1...200 {
            try near.send(bytes: [UInt8(flight), 0], flight: UInt64(flight))
            #expect(log.wait(on: exchange, until: { log.frames.count == flight }))
        }
        #expect(log.frames.map { Int($0.payload[0]) } == Array(1...200))
        exchange.wake()
        #expect(exchange.wait(until: .never, spin: .zero) { _ in } == .woken)
        near.close(.local("done"))
    }
}
