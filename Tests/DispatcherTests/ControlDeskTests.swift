import Checkpoint
import Cluster
import Dispatcher
import Synchronization
import TestSupport
import Testing

/// What an operator's command and the status have to do with each other.
@Suite(.serialized) struct ControlDeskTests {
    @Test("when a command is answered, the status shows what it led to")
    func answer() async throws {
        let checkpoint = try Checkpoint(folder: Fixture("v2-lite").model)
        var generator = SplitMix(seed: 1)
        let cluster = try ClusterHarness(
            checkpoint,
            placement: try .random(
                checkpoint.config, Parallelism(tensor: 1, pipeline: 1, workers: 3), replicas: 1, using: &generator),
            compute: .fast, exchange: .bf16, maximumTokens: ClusterHarness.maximumTokens)
        let desk = cluster.experts.desk
        let seen = Seen()
        let operation = Task.detached {
            for index in [2, 1] {
                let reply = await desk.perform(.drain(name: "worker-\(index)"))
                seen.add(reply, desk.status.workers[index].state)
            }
        }
        while seen.all.count < 2 { cluster.experts.turn() }
        await operation.value
        for (reply, state) in seen.all {
            #expect(reply == .accepted && ["draining", "left"].contains(state), "\(state)")
        }
        #expect(cluster.close())
    }

    /// For any thread.
    private final class Seen: Sendable {
        private let state = Mutex<[(reply: ClusterReply, state: String)]>([])

        var all: [(reply: ClusterReply, state: String)] { state.withLock { $0 } }

        func add(_ reply: ClusterReply, _ worker: String) { state.withLock { $0.append((reply, worker)) } }
    }
}
