import Checkpoint
import Cluster
import Dispatcher
import Kernels
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

    @Test("what a step starts for a command may run on every processor, though the step's thread may not")
    func freedom() throws {
        let checkpoint = try Checkpoint(folder: Fixture("v2-lite").model)
        let allowed = Processors.allowed()
        let places = Mutex<(planner: [Int], answer: [Int])>(([], []))
        var generator = SplitMix(seed: 2)
        let cluster = try ClusterHarness(
            checkpoint,
            placement: try .random(
                checkpoint.config, Parallelism(tensor: 1, pipeline: 1, workers: 3), replicas: 1, using: &generator),
            compute: .fast, exchange: .bf16, maximumTokens: ClusterHarness.maximumTokens, threads: allowed.count,
            planner: { policy, request, input, answer in
                RemoteExperts.inBackground(policy, request, input) { plan in
                    places.withLock { $0.planner = Processors.allowed() }
                    answer(plan)
                }
            })
        cluster.experts.desk.ask(.drain(name: "worker-1")) { _ in
            places.withLock { $0.answer = Processors.allowed() }
        }
        let isPlaced = { places.withLock { !$0.planner.isEmpty && !$0.answer.isEmpty } }
        cluster.processor.team.withPinnedCaller { while !isPlaced() { cluster.experts.turn() } }
        #expect(places.withLock { $0.planner } == allowed)
        #expect(places.withLock { $0.answer } == allowed)
        #expect(cluster.close())
    }

    /// For any thread.
    private final class Seen: Sendable {
        private let state = Mutex<[(reply: ClusterReply, state: String)]>([])

        var all: [(reply: ClusterReply, state: String)] { state.withLock { $0 } }

        func add(_ reply: ClusterReply, _ worker: String) { state.withLock { $0.append((reply, worker)) } }
    }
}
