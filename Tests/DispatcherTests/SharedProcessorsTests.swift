import Checkpoint
import Cluster
import Dispatcher
import Experts
import Kernels
import TestSupport
import Testing

/// Workers on the processors of the step's own threads.
@Suite(.serialized) struct SharedProcessorsTests {
    private let checkpoint: Checkpoint
    private let local: LocalExperts

    init() throws {
        checkpoint = try Checkpoint(folder: Fixture("v2-lite").model)
        local = try LocalExperts.whole(checkpoint, .fast, .bf16)
    }

    private func cluster(
        workers: Int, replicas: Int = 1, using generator: inout SplitMix
    ) throws -> ClusterHarness {
        var limits = RemoteExperts.Limits()
        limits.sharesProcessors = true
        return try ClusterHarness(
            checkpoint,
            placement: try .random(
                checkpoint.config, Parallelism(tensor: 1, pipeline: 1, workers: workers), replicas: replicas,
                using: &generator),
            compute: .fast, exchange: .bf16, maximumTokens: ClusterHarness.maximumTokens, limits: limits)
    }

    @Test("a flight leaves when its answers are wanted, and comes back with the same bits")
    func leavesLate() throws {
        var generator = SplitMix(seed: 31)
        let cluster = try cluster(workers: 3, using: &generator)
        for layer in checkpoint.config.expertLayers {
            let batch = RandomBatch(tokens: 9, config: checkpoint.config, using: &generator)
            let sent = cluster.experts.activity.map(\.bytesOut)
            let output = try batch.output(of: cluster.experts, layer: layer) {
                #expect(cluster.experts.activity.map(\.bytesOut) == sent)
            }
            #expect(try batch.output(of: local, layer: layer) == output)
        }
        #expect(cluster.close())
    }

    @Test("a flight that was given up before it left asks nobody, and the next one is whole")
    func abandoned() throws {
        var generator = SplitMix(seed: 32)
        let cluster = try cluster(workers: 2, using: &generator)
        let layer = checkpoint.config.denseLayerCount
        let batch = RandomBatch(tokens: 5, config: checkpoint.config, using: &generator)
        _ = try cluster.experts.dispatch(batch.hidden.pointer, to: batch.routing, layer: layer)
        cluster.experts.abandon()
        #expect(cluster.experts.activity.allSatisfy { $0.bytesOut == 0 })
        #expect(try batch.output(of: cluster.experts, layer: layer) == batch.output(of: local, layer: layer))
        #expect(cluster.close())
    }
}
