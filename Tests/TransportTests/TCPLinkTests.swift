import Foundation
import TestSupport
import Testing
import Transport
import Wire

@Suite struct TCPLinkTests {
    private static func soon() -> Instant { MonotonicTime().now() + .seconds(5) }

    @Test("A peer that closes is reported once, between frames and inside one")
    func closedPeers() throws {
        let (exchange, listener) = try TCPExchange.listening()
        var peers: [RawSocket?] = try (0..<2).map { _ in try RawSocket(port: listener.port) }
        peers[0]?.write(frameBytes(payload: [1]))
        peers[1]?.write(Array(frameBytes(payload: [1, 2]).dropLast()))
        let log = ExchangeLog()
        #expect(log.wait(on: exchange, until: { log.accepted.count == 2 && log.frames.count == 1 }))
        peers.removeAll()
        #expect(log.wait(on: exchange, until: { log.closed.count == 2 }))
        #expect(Set(log.closed.map { "\($0.reason)" }).count == 2)
        #expect(log.closed.contains { $0.reason == .peerClosed })
        #expect(log.closed.contains { $0.reason == .peerClosedInsideFrame })
        #expect(exchange.wait(until: MonotonicTime().now(), spin: .zero, log.record) == .timedOut)
        #expect(log.closed.count == 2)
        let error = #expect(throws: TransportError.self) { try log.closed[0].link.send(.heartbeat) }
        #expect(error?.kind == .closed)
    }

    @Test("What the peer sent before it closed is delivered before the end is reported")
    func lastWords() throws {
        let (near, far) = try TCPLink.pair()
        try near.send(.goodbye(Goodbye(reason: "drained")))
        near.close(.local("left"))
        #expect(throws: TransportError.self) { try near.send(.heartbeat) }
        let exchange = try TCPExchange()
        exchange.add(far)
        let log = ExchangeLog()
        #expect(log.wait(on: exchange, until: { !log.closed.isEmpty }))
        #expect(log.frames.map(\.header.kind) == [.goodbye])
        #expect(log.closed[0].reason == .peerClosed)
    }

    @Test("A link closed here by any thread is reported with the first reason given")
    func closedHere() throws {
        let (near, far) = try TCPLink.pair()
        let exchange = try TCPExchange()
        exchange.add(near)
        Thread {
            Thread.sleep(forTimeInterval: 0.02)
            near.close(.local("first"))
            near.close(.local("second"))
        }.start()
        let log = ExchangeLog()
        #expect(log.wait(on: exchange, until: { !log.closed.isEmpty }))
        #expect(log.closed.map(\.reason) == [.local("first")])
        #expect(near.closeReason == .local("first") && far.closeReason == nil)
    }

    @Test("A handler that closes its link gets no further frame of it")
    func closedInHandler() throws {
        let (near, far) = try TCPLink.pair()
        for flight in 0..<3 { try far.send(bytes: [1], flight: UInt64(flight)) }
        let exchange = try TCPExchange()
        exchange.add(near)
        var frameCount = 0
        var reason: CloseReason?
        while reason == nil {
            let result = exchange.wait(until: Self.soon(), spin: .zero) { event in
                switch event {
                case .frame(let link, _, _):
                    frameCount += 1
                    link.close(.local("enough"))
                case .closed(_, let given): reason = given
                case .accepted: break
                }
            }
            if result == .timedOut { break }
        }
        #expect(frameCount == 1 && reason == .local("enough"))
    }

    @Test("Waking ends a sleep at once, and is kept for the next wait when nobody sleeps", arguments: [0, 1_000_000])
    func waking(spinMicroseconds: Int) throws {
        let exchange = try TCPExchange()
        exchange.wake()
        exchange.wake()
        let spin = Duration.microseconds(spinMicroseconds)
        #expect(exchange.wait(until: Self.soon(), spin: spin) { _ in } == .woken)
        Thread {
            Thread.sleep(forTimeInterval: 0.02)
            exchange.wake()
        }.start()
        let started = MonotonicTime().now()
        #expect(exchange.wait(until: started + .seconds(5), spin: spin) { _ in } == .woken)
        #expect(MonotonicTime().now() < started + .seconds(3))
        #expect(exchange.wait(until: MonotonicTime().now(), spin: .zero) { _ in } == .timedOut)
    }

    @Test("A link added by another thread takes part in the wait that is under way")
    func addedWhileWaiting() throws {
        let (near, far) = try TCPLink.pair()
        try far.send(.heartbeat)
        let exchange = try TCPExchange()
        Thread {
            Thread.sleep(forTimeInterval: 0.02)
            exchange.add(near)
        }.start()
        let log = ExchangeLog()
        #expect(log.wait(on: exchange, until: { log.frames.count == 1 }))
    }

    @Test("Nothing listening, an unknown host and a port in use are errors that say where and how to mend them")
    func connectErrors() throws {
        let listener = try TCPListener(host: "127.0.0.1", port: 0)
        let inUse = #expect(throws: TransportError.self) { try TCPListener(host: "127.0.0.1", port: listener.port) }
        #expect(inUse?.kind == .addressInUse && inUse?.place == "127.0.0.1:\(listener.port)")
        let unknown = #expect(throws: TransportError.self) {
            try TCPLink.connect(host: "no-such-host.invalid", port: 1, deadline: Self.soon())
        }
        #expect(unknown?.kind == .unresolved && unknown?.place == "no-such-host.invalid:1")
        let port = try { try TCPListener(host: "127.0.0.1", port: 0).port }()
        let refused = #expect(throws: TransportError.self) {
            try TCPLink.connect(host: "127.0.0.1", port: port, deadline: Self.soon())
        }
        #expect(refused?.kind == .refused && refused?.mend.isEmpty == false)
        #expect(throws: TransportError.self) { try TCPListener(host: "127.0.0.1", port: 70_000) }
    }

    @Test("A listener on all addresses is reached over IPv4 by name and by number")
    func allAddresses() throws {
        let listener = try TCPListener(host: "", port: 0)
        let exchange = try TCPExchange(listener: listener)
        let links = try ["127.0.0.1", "localhost"].map {
            try TCPLink.connect(host: $0, port: listener.port, deadline: Self.soon())
        }
        let log = ExchangeLog()
        #expect(log.wait(on: exchange, until: { log.accepted.count == links.count }))
    }

    @Test("The thread's own absence does not count against a frame's time")
    func absence() throws {
        var limits = TCPExchange.Limits()
        limits.frameCompletion = .milliseconds(300)
        let (exchange, listener) = try TCPExchange.listening(limits: limits)
        let peer = try RawSocket(port: listener.port)
        let frame = frameBytes(payload: [1, 2, 3])
        peer.write(Array(frame.dropLast()))
        let log = ExchangeLog()
        _ = exchange.wait(until: MonotonicTime().now() + .milliseconds(50), spin: .zero, log.record)
        _ = exchange.wait(until: MonotonicTime().now() + .milliseconds(50), spin: .zero, log.record)
        Thread.sleep(forTimeInterval: 0.4)
        #expect(exchange.wait(until: MonotonicTime().now() + .milliseconds(20), spin: .zero, log.record) == .timedOut)
        peer.write([frame.last!])
        #expect(log.wait(on: exchange, until: { log.frames.count == 1 }))
        #expect(log.closed.isEmpty)
    }
}
