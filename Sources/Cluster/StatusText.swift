internal import Foundation

/// A status as people read it: what the cluster does, and a table of its workers without those that have left.
package struct StatusText {
    private let status: ClusterStatus

    package init(_ status: ClusterStatus) {
        self.status = status
    }

    /// - Parameters:
    ///   - columns: longer lines are cut; nil: none.
    ///   - rows: further lines are left out; nil: none.
    package func lines(columns: Int? = nil, rows: Int? = nil) -> [String] {
        let lines = ([summary, migration, totals] + gaps + [""] + workers).map(Self.printable)
        return lines.prefix(max(0, rows ?? .max)).map { String($0.prefix(columns ?? .max)) }
    }

    package var text: String { lines().joined(separator: "\n") }

    private var summary: String {
        """
        epoch \(status.epoch)   \(Amount.decimal(status.tokensPerSecond)) tokens/s   \
        balancedness \(Self.share(status.balancedness))   \(Amount.count(status.slotCount, "slot")) held
        """
    }

    private var migration: String {
        let migration = status.migration
        var text = "migration: \(migration.phase)"
        if let request = migration.request { text += ", \(request)" }
        if migration.totalBytes > 0 {
            text += ", \(Amount.bytes(migration.doneBytes)) of \(Amount.bytes(migration.totalBytes))"
        }
        if !migration.queue.isEmpty { text += "; waiting: \(migration.queue.joined(separator: ", "))" }
        if let last = migration.last { text += "; last: \(last)" }
        return text
    }

    private var totals: String {
        let totals = status.totals
        return """
            since the start: \(Amount.count(totals.switches, "switch", "switches")), \
            \(Amount.bytes(totals.movedBytes)) moved, \(Amount.count(totals.lostWorkers, "worker")) lost, \
            \(Amount.count(totals.resentPairs, "pair")) resent, \(Amount.grouped(totals.hedgedPairs)) hedged
            """
    }

    /// What does not go well.
    private var gaps: [String] {
        var lines: [String] = []
        if status.missingSlots > 0 {
            let remedy = status.migration.isUnderWay ? "being loaded" : "add a worker"
            lines.append(
                """
                MISSING: nobody holds \(Amount.count(status.missingSlots, "slot")), for \
                \(Amount.seconds(status.missingSeconds)): \(remedy)
                """)
        }
        for worker in status.workers {
            if let reason = worker.reason { lines.append("\(worker.name) is \(worker.state): \(reason)") }
        }
        return lines
    }

    private var workers: [String] {
        var table = TextTable(header: [
            "worker", "state", "stage", "slots", "bytes", "of", "pairs/s", "busy", "wait", "network", "pairs", "peer",
        ])
        for worker in status.workers where worker.state != Member.State.left.rawValue {
            table.add([
                worker.name, worker.state, "\(worker.stage)", Amount.grouped(worker.slots),
                Amount.bytes(worker.slotBytes), Amount.bytes(worker.memoryBytes),
                Amount.grouped(Self.whole(worker.pairsPerSecond)), Self.percent(worker.busyShare),
                Amount.seconds(worker.waitMilliseconds / 1e3), Amount.rate(Self.finite(worker.bytesPerSecond)),
                Amount.grouped(worker.pairs), worker.peer,
            ])
        }
        return table.lines()
    }

    private static func share(_ value: Double) -> String { String(format: "%.2f", value) }

    private static func percent(_ share: Double) -> String { "\(whole(share * 100)) %" }

    private static func whole(_ value: Double) -> Int { Int(min(max(finite(value), -1e15), 1e15).rounded()) }

    private static func finite(_ value: Double) -> Double { value.isFinite ? value : 0 }

    /// Names and reasons come from other machines: nothing of them may steer the terminal.
    private static func printable(_ line: String) -> String {
        let isPlain = line.unicodeScalars.allSatisfy { !isControl($0) }
        guard !isPlain else { return line }
        return String(String.UnicodeScalarView(line.unicodeScalars.map { isControl($0) ? "?" : $0 }))
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
