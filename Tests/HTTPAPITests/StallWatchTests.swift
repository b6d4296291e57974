import HTTPAPI
import Testing

@Suite("A stall watch") struct StallWatchTests {
    @Test("closes the connection when a write takes too long, and lets quick ones pass")
    func stall() async throws {
        let (closed, close) = AsyncStream.makeStream(of: Void.self)
        let watch = StallWatch(limit: .milliseconds(50))
        var done = 0
        try await watch.run(close: { close.finish() }) {
            for _ in 0..<10 {
                try await watch.write { try await Task.sleep(for: .milliseconds(8)) }
                done += 1
            }
            try await watch.write { for await _ in closed {} }
        }
        #expect(done == 10)
    }

    @Test("ends with what it watches")
    func end() async throws {
        let start = ContinuousClock.now
        try await StallWatch(limit: .seconds(600)).run(close: { Issue.record("nothing stalls") }) {}
        #expect(.now - start < .seconds(5))
    }
}
