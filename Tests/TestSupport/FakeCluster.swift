package import Cluster
internal import Synchronization

/// A cluster that is what a test says it is, and remembers what it was asked.
package final class FakeCluster: ClusterControl {
    private struct State {
        var status: ClusterStatus
        var statistics: LoadStatistics
        var replies: [ClusterReply] = []
        var commands: [ClusterCommand] = []
    }

    package let placement: Placement
    private let state: Mutex<State>

    /// Three workers, two of which are ready and share 4 experts of the layers 3 and 4.
    package init() throws {
        placement = try Placement.uniform(
            layers: [3, 4], experts: 4, parallelism: Parallelism(tensor: 1, pipeline: 1, workers: 3),
            workerWeights: [1, 1, 1])
        var statistics = LoadStatistics(layers: [3, 4], experts: 4)
        let experts: [Int32] = [0, 1, 1]
        experts.withUnsafeBufferPointer { statistics.record(layer: 3, experts: $0) }
        statistics.fold(seconds: 1)
        state = Mutex(State(status: Self.sample, statistics: statistics))
    }

    package var status: ClusterStatus {
        get { state.withLock { $0.status } }
        set { state.withLock { $0.status = newValue } }
    }

    package var statistics: LoadStatistics { state.withLock { $0.statistics } }

    /// What `perform` answers, in turn; "accepted" when there is no more.
    package var replies: [ClusterReply] {
        get { state.withLock { $0.replies } }
        set { state.withLock { $0.replies = newValue } }
    }

    /// What was asked, in turn.
    package var commands: [ClusterCommand] { state.withLock { $0.commands } }

    package func perform(_ command: ClusterCommand) async -> ClusterReply {
        state.withLock { state in
            state.commands.append(command)
            return state.replies.isEmpty ? .accepted : state.replies.removeFirst()
        }
    }

    package static var sample: ClusterStatus {
        var totals = ClusterStatus.Totals()
        totals.switches = 3
        totals.movedBytes = 12_000_000
        totals.lostWorkers = 1
        totals.resentPairs = 1234
        return ClusterStatus(
            epoch: 7, tokensPerSecond: 14.25, balancedness: 0.875, missingSlots: 0, missingSeconds: 0, slotCount: 8,
            migration: .init(
                phase: "idle", request: nil, doneBytes: 0, totalBytes: 0, queue: [], last: "rebalance: done"),
            totals: totals,
            workers: [
                worker("worker-1", "ready", busy: 0.5), worker("worker-2", "ready", busy: 0.25),
                worker("worker-3", "lost", reason: "the link was closed"),
            ])
    }

    private static func worker(
        _ name: String, _ state: String, busy: Double = 0, reason: String? = nil
    ) -> ClusterStatus.Worker {
        ClusterStatus.Worker(
            name: name, state: state, peer: "127.0.0.1:4711", stage: 0, slots: 4, slotBytes: 4_000_000,
            memoryBytes: 8_000_000, pairsPerSecond: 1000.25, busyShare: busy, waitMilliseconds: 1.5,
            bytesPerSecond: 2_000_000, pairs: 98_765, rows: 54_321, sentBytes: 7_000_000, receivedBytes: 9_000_000,
            busySeconds: 12.5, reason: reason)
    }
}
