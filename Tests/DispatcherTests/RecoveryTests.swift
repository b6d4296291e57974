import Checkpoint
import Cluster
import Dispatcher
import Experts
import Foundation
import Kernels
import TestSupport
import Testing

/// Workers die, and nobody who asked notices.
@Suite(.serialized) struct RecoveryTests {
    private let checkpoint: Checkpoint
    private let local: LocalExperts

    init() throws {
        checkpoint = try Checkpoint(folder: Fixture("v2-lite").model)
        local = try LocalExperts.whole(checkpoint, .fast, .bf16)
    }

    private func cluster(
        workers: Int, tensor: Int = 1, replicas: Int = 1, limits: RemoteExperts.Limits = .init(),
        using generator: inout SplitMix
    ) throws -> ClusterHarness {
        try .random(
            checkpoint, workers: workers, tensor: tensor, replicas: replicas, limits: limits, using: &generator)
    }

    @Test("a worker that dies under way costs no answer, with a replica or without", arguments: [1, 2])
    func dies(replicas: Int) throws {
        for seed in 0..<6 {
            var generator = SplitMix(seed: UInt64(seed))
            let cluster = try cluster(workers: 4, replicas: replicas, using: &generator)
            var victims = (0..<4).shuffled(using: &generator).prefix(3)
            for layer in Array(checkpoint.config.expertLayers) + Array(checkpoint.config.expertLayers) {
                let batch = RandomBatch(
                    tokens: Int.random(in: 1...ClusterHarness.maximumTokens, using: &generator),
                    config: checkpoint.config, using: &generator)
                let expected = try batch.output(of: local, layer: layer)
                let output = try batch.output(of: cluster.experts, layer: layer) {
                    if let victim = victims.popFirst() { cluster.kill(victim) }
                }
                #expect(output == expected, "seed \(seed), layer \(layer)")
            }
            #expect(cluster.close())
        }
    }

    @Test("slices of an expert that was cut are found again too")
    func tensorParallel() throws {
        var generator = SplitMix(seed: 21)
        let cluster = try cluster(workers: 4, tensor: 2, using: &generator)
        let batch = RandomBatch(tokens: 13, config: checkpoint.config, using: &generator)
        let layer = checkpoint.config.denseLayerCount
        let before = try batch.output(of: cluster.experts, layer: layer)
        #expect(try batch.output(of: cluster.experts, layer: layer) { cluster.kill(2) } == before)
        #expect(cluster.close())
    }

    @Test("a worker that comes back under its name serves again")
    func comesBack() throws {
        var generator = SplitMix(seed: 5)
        let cluster = try cluster(workers: 3, using: &generator)
        let layer = checkpoint.config.denseLayerCount
        let batch = RandomBatch(tokens: 20, config: checkpoint.config, using: &generator)
        let expected = try batch.output(of: local, layer: layer)
        #expect(try batch.output(of: cluster.experts, layer: layer) { cluster.kill(1) } == expected)
        // Until its loss is noticed the next batch may be sent to it too.
        let deadline = Date() + 20
        while cluster.experts.desk.status.totals.lostWorkers == 0, Date() < deadline { cluster.experts.turn() }
        let served = cluster.experts.activity[1].pairCount
        try cluster.start(1)
        while cluster.experts.activity[1].pairCount == served, Date() < deadline {
            #expect(try batch.output(of: cluster.experts, layer: layer) == expected)
            cluster.experts.turn()
        }
        #expect(cluster.experts.activity[1].pairCount > served)
        #expect(cluster.close())
    }

    @Test("workers that cannot be sent to are done without, and the error says why", .timeLimit(.minutes(1)))
    func notSentTo() throws {
        var limits = RemoteExperts.Limits()
        // They dial again, and might be there before the error.
        limits.recovery = .zero
        let (cluster, batch) = try clusterThatTakesNothing(limits)
        let error = #expect(throws: ExpertsLost.self) {
            _ = try batch.output(of: cluster.experts, layer: checkpoint.config.denseLayerCount)
        }
        let reasons = error?.losses.map(\.reason) ?? []
        #expect(!reasons.isEmpty && reasons.allSatisfy { $0.contains("has not taken") }, "\(reasons)")
        cluster.experts.abandon()
        cluster.killAll()
        #expect(cluster.close())
    }

    @Test("answers that end whoever is asked for them are not asked for ever", .timeLimit(.minutes(1)))
    func againAndAgain() throws {
        let (cluster, batch) = try clusterThatTakesNothing(RemoteExperts.Limits())
        let layer = checkpoint.config.denseLayerCount
        let error = #expect(throws: AnswersLost.self) {
            _ = try batch.output(of: cluster.experts, layer: layer)
        }
        #expect(error?.layer == layer)
        #expect(error?.losses.count == RemoteExperts.Limits().losses)
        let reasons = error?.losses.map(\.reason) ?? []
        #expect(reasons.allSatisfy { $0.contains("has not taken") }, "\(reasons)")
        cluster.experts.abandon()
        cluster.killAll()
        #expect(cluster.close())
    }

    /// Two workers that come back whenever they are lost, which is when they are sent to.
    private func clusterThatTakesNothing(_ limits: RemoteExperts.Limits) throws -> (ClusterHarness, RandomBatch) {
        var generator = SplitMix(seed: 8)
        let cluster = try ClusterHarness(
            checkpoint,
            placement: .random(
                checkpoint.config, try Parallelism(tensor: 1, pipeline: 1, workers: 2), using: &generator),
            compute: .fast, exchange: .bf16, maximumTokens: ClusterHarness.maximumTokens, queueLimit: Self.shortQueue,
            limits: limits)
        let batch = RandomBatch(
            tokens: ClusterHarness.maximumTokens, config: checkpoint.config, using: &generator)
        return (cluster, batch)
    }

    /// Bytes: room for what tells a worker its part, and for no dispatch.
    private static let shortQueue = 1200

    @Test("when nobody is left the error says who is lost and what is missing, and all resume when a worker arrives")
    func nobodyLeft() throws {
        var generator = SplitMix(seed: 6)
        var limits = RemoteExperts.Limits()
        limits.recovery = .seconds(1)
        let cluster = try cluster(workers: 2, limits: limits, using: &generator)
        let layer = checkpoint.config.denseLayerCount
        let batch = RandomBatch(tokens: 5, config: checkpoint.config, using: &generator)
        let expected = try batch.output(of: local, layer: layer)
        cluster.killAll()
        let error = #expect(throws: ExpertsLost.self) {
            _ = try batch.output(of: cluster.experts, layer: layer)
        }
        #expect(error?.description.contains("worker-0") == true && error?.description.contains("worker-1") == true)
        cluster.experts.abandon()
        try cluster.start(0)
        let deadline = Date() + 20
        var output: [Float]?
        while output == nil, Date() < deadline {
            output = try? batch.output(of: cluster.experts, layer: layer)
            if output == nil { cluster.experts.abandon() }
        }
        #expect(output == expected)
        #expect(cluster.close())
    }
}
