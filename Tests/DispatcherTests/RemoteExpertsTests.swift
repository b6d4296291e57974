import Checkpoint
import Cluster
import Dispatcher
import Experts
import Kernels
import TestSupport
import Testing

@Suite(.serialized) struct RemoteExpertsTests {
    private static let fixture = Fixture("v2-lite")

    @Test(
        "over any placement, dispatch and combine give what the experts in this process give, bit for bit",
        arguments: [(1, 1, 1), (1, 1, 3), (1, 2, 5), (1, 2, 2)],
        ExchangeDType.allCases.flatMap { [(Compute.f32, $0), (.fast, $0)] })
    func anyPlacement(_ split: (Int, Int, Int), _ arithmetic: (Compute, ExchangeDType)) throws {
        var generator = SplitMix(seed: UInt64(split.2 * 10 + split.1))
        let checkpoint = try Checkpoint(folder: Self.fixture.model)
        let config = checkpoint.config
        let parallelism = try Parallelism(tensor: split.0, pipeline: split.1, workers: split.2)
        let placement = try Placement.random(config, parallelism, using: &generator)
        let local = try LocalExperts.whole(checkpoint, arithmetic.0, arithmetic.1)
        let cluster = try ClusterHarness(
            checkpoint, placement: placement, compute: arithmetic.0, exchange: arithmetic.1,
            maximumTokens: ClusterHarness.maximumTokens)
        for tokens in [1, 2, 7, ClusterHarness.maximumTokens] {
            for layer in config.expertLayers {
                let batch = RandomBatch(tokens: tokens, config: config, using: &generator)
                let expected = try batch.output(of: local, layer: layer)
                #expect(try batch.output(of: cluster.experts, layer: layer) == expected)
                #expect(expected.contains { $0 != 0 })
            }
        }
        #expect(cluster.close())
    }

    @Test("with the same tensor-parallel size, any number of workers gives the same bits, near the whole's")
    func tensorParallel() throws {
        let checkpoint = try Checkpoint(folder: Self.fixture.model)
        let config = checkpoint.config
        var generator = SplitMix(seed: 99)
        let batch = RandomBatch(tokens: 9, config: config, using: &generator)
        let whole = try batch.output(of: LocalExperts.whole(checkpoint, .f32, .f32), layer: config.denseLayerCount)
        var first: [Float]?
        for workers in [3, 4, 7] {
            let parallelism = try Parallelism(tensor: 3, pipeline: 1, workers: workers)
            let cluster = try ClusterHarness(
                checkpoint, placement: Placement.random(config, parallelism, using: &generator), compute: .f32,
                exchange: .f32, maximumTokens: ClusterHarness.maximumTokens)
            let output = try batch.output(of: cluster.experts, layer: config.denseLayerCount)
            #expect(output == first ?? output)
            first = output
            let largest = whole.map(abs).max() ?? 0
            #expect(zip(output, whole).allSatisfy { abs($0 - $1) <= 1e-5 * largest })
            #expect(cluster.close())
        }
    }

    @Test("flights that overlap, of different layers, come back whole in any order")
    func overlappingFlights() throws {
        let checkpoint = try Checkpoint(folder: Self.fixture.model)
        let config = checkpoint.config
        var generator = SplitMix(seed: 4)
        let parallelism = try Parallelism(tensor: 1, pipeline: 2, workers: 4)
        let cluster = try ClusterHarness(
            checkpoint, placement: Placement.random(config, parallelism, using: &generator), compute: .fast,
            exchange: .bf16, maximumTokens: ClusterHarness.maximumTokens)
        let local = try LocalExperts.whole(checkpoint, .fast, .bf16)
        let layers = Array(config.expertLayers)
        let batches = layers.map { _ in RandomBatch(tokens: 11, config: config, using: &generator) }
        let flights = try zip(batches, layers).map {
            try cluster.experts.dispatch($0.hidden.pointer, to: $0.routing, layer: $1)
        }
        for (index, flight) in flights.enumerated().reversed() {
            let output = AlignedBuffer<Float>(count: batches[index].hidden.count)
            let expected = try batches[index].output(of: local, layer: layers[index])
            try withExtendedLifetime(output) {
                try cluster.experts.combine(flight, into: output.pointer)
                #expect(Array(UnsafeBufferPointer(start: output.pointer, count: output.count)) == expected)
            }
        }
        #expect(cluster.close())
    }
}
