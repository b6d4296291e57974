internal import Cluster
internal import Wire

/// Draws the picture of the cluster that other threads see, with rates since the picture before.
struct StatusBoard {
    private var last: [String: WorkerActivity] = [:]
    private var lastTokens = 0
    private var lastTime: Instant?
    private var rates: [String: Rates] = [:]
    private var tokensPerSecond = 0.0
    /// When the picture is to be drawn again.
    private(set) var due = Instant(nanoseconds: 0)

    private struct Rates {
        var pairs = 0.0
        var busy = 0.0
        var wait = 0.0
        var bytes = 0.0
    }

    /// - Parameters:
    ///   - tokens: that left the last layer since the start.
    ///   - sliceBytes: [tensor]
    mutating func draw(
        _ control: ControlPlane, _ roster: Roster, tokens: Int, sliceBytes: [Int], now: Instant
    ) -> ClusterStatus {
        measure(roster, tokens, now)
        due = now + Self.interval
        let rebalance = control.rebalance
        let status = rebalance.status
        let holdings = rebalance.holdings
        return ClusterStatus(
            epoch: status.epoch, tokensPerSecond: tokensPerSecond, balancedness: control.balancedness,
            missingSlots: holdings.missingCount,
            missingSeconds: control.missingSince.map { (now.sinceOrigin - $0) / .seconds(1) } ?? 0,
            slotCount: holdings.slotCount,
            migration: ClusterStatus.Migration(
                phase: status.phase, request: status.request.map(control.describe), doneBytes: status.doneBytes,
                totalBytes: status.totalBytes, queue: status.queue.map(control.describe), last: control.lastOutcome),
            totals: control.totals,
            workers: control.membership.members.map { member in
                worker(member, roster.members[member.index], holdings, sliceBytes)
            })
    }

    private func worker(
        _ member: Member, _ entry: Roster.Member, _ holdings: Holdings, _ sliceBytes: [Int]
    ) -> ClusterStatus.Worker {
        let rates = rates[member.name] ?? Rates()
        let activity = entry.activity
        let slots = holdings.slotCount(of: member.index)
        var reason: String?
        if case .lost(_, let why) = entry.state { reason = why }
        return ClusterStatus.Worker(
            name: member.name, state: member.state.rawValue, peer: activity.peer, stage: member.stage,
            slots: slots, slotBytes: slots * sliceBytes.reduce(0, +) / max(1, sliceBytes.count),
            memoryBytes: entry.memoryBytes, pairsPerSecond: rates.pairs, busyShare: rates.busy,
            waitMilliseconds: rates.wait, bytesPerSecond: rates.bytes, pairs: activity.pairCount,
            rows: activity.rowCount, sentBytes: activity.bytesOut, receivedBytes: activity.bytesIn,
            busySeconds: Double(activity.busyMicroseconds) / 1e6, reason: reason)
    }

    /// Rates over less than a second would jump about.
    private mutating func measure(_ roster: Roster, _ tokens: Int, _ now: Instant) {
        let passed = lastTime.map { Double(now.nanoseconds(since: $0)) / 1e9 } ?? .infinity
        guard passed >= Self.rateSeconds else { return }
        if passed.isFinite {
            tokensPerSecond = Double(tokens - lastTokens) / passed
            for member in roster.members {
                guard let earlier = last[member.seat.name] else { continue }
                let activity = member.activity
                let answers = max(1, activity.answerCount - earlier.answerCount)
                rates[member.seat.name] = Rates(
                    pairs: Double(activity.pairCount - earlier.pairCount) / passed,
                    busy: min(1, Double(activity.busyMicroseconds - earlier.busyMicroseconds) / 1e6 / passed),
                    wait: Double(activity.waitMicroseconds - earlier.waitMicroseconds) / 1e3 / Double(answers),
                    bytes: Double(activity.bytesOut + activity.bytesIn - earlier.bytesOut - earlier.bytesIn) / passed)
            }
        }
        last = Dictionary(roster.members.map { ($0.seat.name, $0.activity) }) { $1 }
        lastTokens = tokens
        lastTime = now
    }

    private static let interval = Duration.milliseconds(200)
    private static let rateSeconds = 1.0
}
