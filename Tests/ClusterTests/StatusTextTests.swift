import Cluster
import TestSupport
import Testing

@Suite struct StatusTextTests {
    @Test("the text shows the cluster, what is under way, what happened, and a row for each worker")
    func text() {
        var status = FakeCluster.sample
        status.migration = .init(
            phase: "filling", request: "rebalance", doneBytes: 1_500_000, totalBytes: 3_000_000,
            queue: ["drain worker-2"], last: nil)
        let lines = StatusText(status).lines()
        #expect(lines[0] == "epoch 7   14.2 tokens/s   balancedness 0.88   8 slots held")
        #expect(lines[1] == "migration: filling, rebalance, 1.50 MB of 3.00 MB; waiting: drain worker-2")
        #expect(lines[2] == "since the start: 3 switches, 12.0 MB moved, 1 worker lost, 1,234 pairs resent, 0 hedged")
        #expect(lines[3] == "worker-3 is lost: the link was closed")
        #expect(lines[4].isEmpty && lines[5].hasPrefix("worker") && lines.count == 9)
        let cells = lines[6].split(separator: "  ").map { $0.trimmingPrefix(" ") }
        #expect(
            cells.elementsEqual([
                "worker-1", "ready", "0", "4", "4.00 MB", "8.00 MB", "1,000", "50 %", "1.50 ms", "2.00 MB/s", "98,765",
                "127.0.0.1:4711",
            ]))
        #expect(Set(lines[5...].map(\.count)).count == 1, "columns stand under each other")
    }

    @Test("a worker that has left is not shown")
    func left() {
        var status = FakeCluster.sample
        status.workers[0].state = "left"
        let lines = StatusText(status).lines()
        #expect(lines.count == 8 && !lines.contains { $0.hasPrefix("worker-1") })
    }

    @Test(
        "missing slots are shown, with what to do unless it is being done",
        arguments: [
            ("idle", [], "add a worker"), ("failed", [], "add a worker"), ("idle", ["repair"], "being loaded"),
            ("filling", [], "being loaded"), ("planning", [], "being loaded"),
        ])
    func missing(phase: String, queue: [String], remedy: String) {
        var status = FakeCluster.sample
        status.missingSlots = 3
        status.missingSeconds = 12
        status.migration.phase = phase
        status.migration.queue = queue
        #expect(StatusText(status).lines().contains("MISSING: nobody holds 3 slots, for 12.0 s: \(remedy)"))
    }

    @Test("lines are cut at the width and the height, never wrapped")
    func cut() {
        for columns in [1, 7, 40, 200] {
            for rows in [0, 1, 5, 50] {
                let lines = StatusText(FakeCluster.sample).lines(columns: columns, rows: rows)
                #expect(lines.count <= rows && lines.allSatisfy { $0.count <= columns })
                for (line, whole) in zip(lines, StatusText(FakeCluster.sample).lines()) {
                    #expect(whole.hasPrefix(line))
                }
            }
        }
        #expect(StatusText(FakeCluster.sample).lines(columns: 10, rows: -2).isEmpty)
    }

    @Test("nothing that another machine says steers the terminal")
    func control() {
        var status = FakeCluster.sample
        status.workers[0].name = "a\u{1B}[2Jb\nc\u{202E}"
        status.workers[2].reason = "gone\r\u{9B}31m"
        let text = StatusText(status).lines().joined()
        #expect(text.contains("a?[2Jb?c?"))
        #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) })
    }

    @Test("numbers beyond all reason end no command")
    func numbers() {
        var status = FakeCluster.sample
        for value in [Double.nan, .infinity, -.infinity, 1e300, -1e300] {
            status.tokensPerSecond = value
            status.balancedness = value
            status.missingSeconds = value
            for index in status.workers.indices {
                status.workers[index].pairsPerSecond = value
                status.workers[index].busyShare = value
                status.workers[index].waitMilliseconds = value
                status.workers[index].bytesPerSecond = value
            }
            status.missingSlots = .max
            #expect(!StatusText(status).lines().isEmpty)
        }
    }
}
