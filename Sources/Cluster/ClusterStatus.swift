/// A running cluster as its operator sees it: what `cohort status` and `cohort top` show and the admin API answers.
package struct ClusterStatus: Sendable, Hashable, Codable {
    package struct Worker: Sendable, Hashable, Codable {
        package var name: String
        /// A `Member.State`, as text: "joining", "ready", "draining", "left" or "lost".
        package var state: String
        package var peer: String
        package var stage: Int
        /// Slots that it answers for.
        package var slots: Int
        /// Bytes of those slots.
        package var slotBytes: Int
        /// Bytes that its experts may take.
        package var memoryBytes: Int
        /// (token, expert, rank) pairs that it computed per second, over the last seconds, as the rates below.
        package var pairsPerSecond: Double
        /// The share of the time in which it computed, 0 to 1.
        package var busyShare: Double
        /// How long a dispatch was under way without being computed, on average: the network and the queue.
        package var waitMilliseconds: Double
        /// Both directions.
        package var bytesPerSecond: Double
        /// (token, expert, rank) pairs that it computed since it was first here, as the counts below.
        package var pairs: Int
        /// Rows sent to it.
        package var rows: Int
        package var sentBytes: Int
        package var receivedBytes: Int
        /// How long it computed.
        package var busySeconds: Double
        /// Why it is lost; nil while it is not.
        package var reason: String?

        package init(
            name: String, state: String, peer: String, stage: Int, slots: Int, slotBytes: Int, memoryBytes: Int,
            pairsPerSecond: Double, busyShare: Double, waitMilliseconds: Double, bytesPerSecond: Double, pairs: Int,
            rows: Int, sentBytes: Int, receivedBytes: Int, busySeconds: Double, reason: String?
        ) {
            self.name = name
            self.state = state
            self.peer = peer
            self.stage = stage
            self.slots = slots
            self.slotBytes = slotBytes
            self.memoryBytes = memoryBytes
            self.pairsPerSecond = pairsPerSecond
            self.busyShare = busyShare
            self.waitMilliseconds = waitMilliseconds
            self.bytesPerSecond = bytesPerSecond
            self.pairs = pairs
            self.rows = rows
            self.sentBytes = sentBytes
            self.receivedBytes = receivedBytes
            self.busySeconds = busySeconds
            self.reason = reason
        }
    }

    /// A change of the placement: the one under way, or how the last one ended.
    package struct Migration: Sendable, Hashable, Codable {
        /// "idle", "planning", "filling", "switching", "draining" or "failed".
        package var phase: String
        /// What is under way or has failed, such as "rebalance" or "drain worker-2"; nil when idle.
        package var request: String?
        package var doneBytes: Int
        package var totalBytes: Int
        /// What waits, in order.
        package var queue: [String]
        /// How the last request ended, such as "rebalance: done"; nil before the first.
        package var last: String?

        /// Whether something changes, or is about to.
        package var isUnderWay: Bool { !queue.isEmpty || !["idle", "failed"].contains(phase) }

        package init(
            phase: String, request: String?, doneBytes: Int, totalBytes: Int, queue: [String], last: String?
        ) {
            self.phase = phase
            self.request = request
            self.doneBytes = doneBytes
            self.totalBytes = totalBytes
            self.queue = queue
            self.last = last
        }
    }

    /// What happened since the start.
    package struct Totals: Sendable, Hashable, Codable {
        package var switches = 0
        package var movedBytes = 0
        package var lostWorkers = 0
        package var resentPairs = 0
        package var hedgedPairs = 0

        package init() {}
    }

    /// The version of the placement.
    package var epoch: UInt32
    /// Tokens that left the last layer per second, prompts included.
    package var tokensPerSecond: Double
    /// Mean over maximum of the tokens per worker, over the layers, as the placement stands and the load is: 1 is
    /// level.
    package var balancedness: Double
    /// Slots that nobody holds, and since when in seconds.
    package var missingSlots: Int
    package var missingSeconds: Double
    package var slotCount: Int
    package var migration: Migration
    package var totals: Totals
    /// By index.
    package var workers: [Worker]

    package init(
        epoch: UInt32, tokensPerSecond: Double, balancedness: Double, missingSlots: Int, missingSeconds: Double,
        slotCount: Int, migration: Migration, totals: Totals, workers: [Worker]
    ) {
        self.epoch = epoch
        self.tokensPerSecond = tokensPerSecond
        self.balancedness = balancedness
        self.missingSlots = missingSlots
        self.missingSeconds = missingSeconds
        self.slotCount = slotCount
        self.migration = migration
        self.totals = totals
        self.workers = workers
    }
}
