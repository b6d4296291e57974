import Checkpoint
import Cluster
import Dispatcher
import Experts
import Foundation
import Kernels
import TestSupport
import Testing
import Wire

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
        return try .random(checkpoint, workers: workers, replicas: replicas, limits: limits, using: &generator)
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

    @Test("what several workers hold is sent in portions, with the same bits", arguments: [2, 4])
    func portions(replicas: Int) throws {
        var generator = SplitMix(seed: UInt64(33 + replicas))
        let cluster = try cluster(workers: 4, replicas: replicas, using: &generator)
        for layer in checkpoint.config.expertLayers {
            let batch = RandomBatch(
                tokens: ClusterHarness.maximumTokens, config: checkpoint.config, using: &generator)
            #expect(try batch.output(of: cluster.experts, layer: layer) == batch.output(of: local, layer: layer))
        }
        let answers = cluster.experts.activity.reduce(0) { $0 + $1.answerCount }
        #expect(answers > checkpoint.config.expertLayers.count * 4)
        #expect(cluster.close())
    }

    @Test("a worker that dies with portions out, and others kept back, costs no answer", arguments: 0..<12)
    func dies(seed: Int) throws {
        var generator = SplitMix(seed: UInt64(seed))
        let cluster = try cluster(workers: 4, replicas: 2, using: &generator)
        var victims = (0..<4).shuffled(using: &generator).prefix(3)
        for layer in Array(checkpoint.config.expertLayers) + Array(checkpoint.config.expertLayers) {
            let batch = RandomBatch(
                tokens: ClusterHarness.maximumTokens, config: checkpoint.config, using: &generator)
            let expected = try batch.output(of: local, layer: layer)
            let delay = UInt32.random(in: 0...400, using: &generator)
            let gone = DispatchSemaphore(value: 0)
            let output = try batch.output(of: cluster.experts, layer: layer) {
                guard let victim = victims.popFirst() else {
                    gone.signal()
                    return
                }
                nonisolated(unsafe) let cluster = cluster
                Thread.detachNewThread {
                    usleep(delay)
                    cluster.kill(victim)
                    gone.signal()
                }
            }
            gone.wait()
            #expect(output == expected, "layer \(layer)")
        }
        #expect(cluster.close())
    }

    @Test("in whatever order workers take portions, each answer is asked of one that can give it, once")
    func anyOrder() throws {
        let config = checkpoint.config
        for seed in 0..<40 {
            var generator = SplitMix(seed: UInt64(seed))
            let placement = try Placement.random(
                config, Parallelism(tensor: 1 + seed % 2, pipeline: 1, workers: 4), replicas: 2 - seed / 2 % 2,
                using: &generator)
            let layer = config.denseLayerCount
            let table = placement.table(layer: layer)
            let batch = RandomBatch(tokens: 24, config: config, using: &generator)
            var plan = DispatchPlan(speeds: [1, 1, 1, 1], shape: RowShape(hiddenSize: 64, dtype: .bf16))
            plan.build(batch.routing, table, inPortions: true)
            #expect(plan.hasPortions == (seed / 2 % 2 == 0))
            var asked: [Int32] = []
            func ask(_ places: [Int32], of worker: Int) {
                asked += places
                for place in places.map(Int.init) {
                    let (pair, rank) = place.quotientAndRemainder(dividingBy: table.tensor)
                    let row = Int(batch.routing.experts[pair]) * table.tensor + rank
                    #expect(table[row].contains(Int32(worker)))
                }
            }
            for worker in 0..<4 { ask(plan.takePlaces(of: .share(of: worker), leaving: []), of: worker) }
            while plan.hasPortions {
                let worker = Int.random(in: 0..<4, using: &generator)
                guard let portion = plan.nextPortion(for: worker, table) else { continue }
                ask(plan.takePlaces(of: portion, leaving: []), of: worker)
            }
            #expect(asked.sorted() == (0..<Int32(batch.routing.pairCount * table.tensor)).map { $0 })
        }
    }

    @Test("a worker that is done early takes what the others have not begun")
    func takesOver() throws {
        let config = checkpoint.config
        var generator = SplitMix(seed: 34)
        let placement = try Placement.random(
            config, Parallelism(tensor: 1, pipeline: 1, workers: 3), replicas: 3, using: &generator)
        let table = placement.table(layer: config.denseLayerCount)
        let batch = RandomBatch(tokens: 24, config: config, using: &generator)
        var plan = DispatchPlan(speeds: [1, 1, 1], shape: RowShape(hiddenSize: 64, dtype: .bf16))
        plan.build(batch.routing, table, inPortions: true)
        let firsts = plan.shares.map(\.places.count)
        var later = 0
        while let portion = plan.nextPortion(for: 1, table) {
            later += plan.takePlaces(of: portion, leaving: []).count
        }
        #expect(firsts.reduce(later, +) == batch.routing.pairCount)
        #expect(firsts.allSatisfy { $0 < batch.routing.pairCount / 3 })
    }
}
