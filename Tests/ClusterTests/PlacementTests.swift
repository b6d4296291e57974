import Cluster
import TestSupport
import Testing

@Suite struct PlacementTests {
    /// Layouts around the edges: one worker, W = tp x pp, W that nothing divides, many workers.
    static let grids: [(tensor: Int, pipeline: Int, workers: Int)] = {
        var grids: [(tensor: Int, pipeline: Int, workers: Int)] = []
        for tensor in [1, 2, 3, 8] {
            for pipeline in [1, 2, 3] {
                for extra in [0, 1, 2, 5, 13] {
                    grids.append((tensor, pipeline, tensor * pipeline + extra))
                }
            }
        }
        return grids
    }()

    static func weights(_ count: Int, seed: UInt64) -> [Double] {
        var generator = SplitMix(seed: seed)
        return (0..<count).map { _ in Double.random(in: 0.05...20, using: &generator) }
    }

    @Test("with equal weights slice (e, r) goes to worker (e x tensor + r) mod W of its stage", arguments: grids)
    func equalWeights(tensor: Int, pipeline: Int, workers: Int) throws {
        let parallelism = try Parallelism(tensor: tensor, pipeline: pipeline, workers: workers)
        let placement = try Placement.uniform(
            layers: Array(3..<10), experts: 37, parallelism: parallelism,
            workerWeights: Array(repeating: 0.1, count: workers))
        for stage in placement.stages {
            for layer in stage.layers {
                for expert in 0..<37 {
                    for rank in 0..<tensor {
                        let expected =
                            stage.workers.lowerBound + (expert * tensor + rank) % stage.workers.count
                        #expect(placement.workers(layer: layer, expert: expert, rank: rank) == [expected])
                    }
                }
            }
        }
    }

    @Test("every slice has one worker of its stage, and the slices of an expert have distinct ones", arguments: grids)
    func oneSlotEach(tensor: Int, pipeline: Int, workers: Int) throws {
        let parallelism = try Parallelism(tensor: tensor, pipeline: pipeline, workers: workers)
        let weights = Self.weights(workers, seed: UInt64(workers))
        let placement = try Placement.uniform(
            layers: Array(3..<10), experts: 37, parallelism: parallelism, workerWeights: weights)
        for layer in placement.layers {
            let stage = try #require(placement.stage(layer: layer))
            let table = placement.table(layer: layer)
            #expect(table.rowCount == 37 * tensor && table.holders == table.primary)
            for expert in 0..<37 {
                let holders = (0..<tensor).flatMap { placement.workers(layer: layer, expert: expert, rank: $0) }
                #expect(holders.count == tensor && Set(holders).count == tensor)
                #expect(holders.allSatisfy(stage.workers.contains))
            }
        }
        let slots = (0..<workers).flatMap(placement.slots(of:))
        #expect(slots.count == 7 * 37 * tensor && Set(slots).count == slots.count)
    }

    @Test("stages are contiguous, cover all layers and workers, and are even for equal weights", arguments: grids)
    func stages(tensor: Int, pipeline: Int, workers: Int) throws {
        let parallelism = try Parallelism(tensor: tensor, pipeline: pipeline, workers: workers)
        let stages = try Stage.cut(
            layers: Array(3..<61), parallelism: parallelism, workerWeights: Array(repeating: 7, count: workers))
        #expect(stages.flatMap(\.layers) == Array(3..<61))
        #expect(stages.flatMap { Array($0.workers) } == Array(0..<workers))
        let sizes = stages.map(\.workers.count)
        #expect(sizes.max()! - sizes.min()! <= 1 && sizes.min()! >= tensor)
        if workers.isMultiple(of: pipeline) {
            let counts = stages.map(\.layers.count)
            #expect(counts.max()! - counts.min()! <= 1)
        }
    }

    @Test("counts follow the weights within one expert's slices, none above one slice of each expert")
    func weighted() throws {
        for seed in 0..<40 as Range<UInt64> {
            let (tensor, workers) = (1 + Int(seed % 4), 5 + Int(seed % 7))
            let parallelism = try Parallelism(tensor: tensor, pipeline: 1, workers: workers)
            let weights = Self.weights(workers, seed: seed)
            let placement = try Placement.uniform(
                layers: [0], experts: 256, parallelism: parallelism, workerWeights: weights)
            let shares = Apportionment.cappedShares(weights: weights, tensor: tensor)
            #expect(abs(shares.reduce(0, +) - 1) < 1e-9)
            let cap = 1 / Double(tensor)
            #expect(shares.allSatisfy { $0 <= cap })
            let uncapped = shares.indices.filter { shares[$0] < cap - 1e-9 }
            let perWeight = uncapped.map { shares[$0] / weights[$0] }
            #expect((perWeight.max() ?? 0) - (perWeight.min() ?? 0) < 1e-9)
            for capped in shares.indices where shares[capped] >= cap - 1e-9 {
                #expect((perWeight.first ?? 0) * weights[capped] >= cap - 1e-9 || uncapped.isEmpty)
            }
            for worker in 0..<workers {
                let count = placement.slots(of: worker).count
                #expect(abs(Double(count) - shares[worker] * Double(256 * tensor)) <= Double(tensor) + 1)
                #expect(count <= 256)
            }
        }
    }

    @Test("a larger stage gets more layers, and every stage at least one")
    func weightedStages() throws {
        let parallelism = try Parallelism(tensor: 1, pipeline: 2, workers: 2)
        let stages = try Stage.cut(layers: Array(0..<8), parallelism: parallelism, workerWeights: [3, 1])
        #expect(stages.map(\.layers.count) == [6, 2])
        let skewed = try Stage.cut(layers: Array(0..<8), parallelism: parallelism, workerWeights: [1000, 1])
        #expect(skewed.map(\.layers.count) == [7, 1])
    }

    @Test("replicas are held, the preferred one first")
    func replicas() throws {
        let parallelism = try Parallelism(tensor: 1, pipeline: 1, workers: 3)
        let stages = try Stage.cut(layers: [1], parallelism: parallelism, workerWeights: [1, 1, 1])
        let placement = try Placement(epoch: 7, parallelism: parallelism, stages: stages, experts: 2) {
            $0.expert == 0 ? [2, 0] : [1]
        }
        #expect(placement.epoch == 7)
        #expect(placement.workers(layer: 1, expert: 0, rank: 0) == [2, 0])
        #expect(placement.table(layer: 1).primary == [2, 1])
        #expect(placement.table(layer: 1).starts == [0, 2, 3])
        #expect(placement.slots(of: 0) == [Slot(layer: 1, expert: 0, rank: 0)])
    }

    @Test("numbers that cannot work are refused with numbers that would")
    func refusals() throws {
        let error = #expect(throws: PlacementError.self) { try Parallelism(tensor: 8, pipeline: 2, workers: 12) }
        #expect(error == .tooFewWorkers(workers: 12, tensor: 8, pipeline: 2))
        #expect(error?.description.contains("start 16 workers or more, or give --tensor-parallel-size 6") == true)
        #expect(throws: PlacementError.sizeBelowOne(name: "tensor-parallel-size", value: 0)) {
            try Parallelism(tensor: 0, pipeline: 2, workers: 12)
        }
        #expect(throws: PlacementError.tooFewWorkers(workers: 1, tensor: Int.max, pipeline: 2)) {
            try Parallelism(tensor: Int.max, pipeline: 2, workers: 1)
        }
        let three = try Parallelism(tensor: 1, pipeline: 3, workers: 3)
        #expect(throws: PlacementError.moreStagesThanLayers(pipeline: 3, layers: 2)) {
            try Placement.uniform(layers: [1, 2], experts: 4, parallelism: three, workerWeights: [1, 1, 1])
        }
        #expect(throws: PlacementError.weightNotPositive(worker: 1, weight: 0)) {
            try Placement.uniform(layers: [1, 2, 3], experts: 4, parallelism: three, workerWeights: [1, 0, 1])
        }
        #expect(throws: PlacementError.weightCount(weights: 2, workers: 3)) {
            try Placement.uniform(layers: [1, 2, 3], experts: 4, parallelism: three, workerWeights: [1, 1])
        }
        let two = try Parallelism(tensor: 2, pipeline: 1, workers: 2)
        let stages = [Stage(index: 0, layers: [1], workers: 0..<2)]
        #expect(throws: PlacementError.workerHoldsTwice(Slot(layer: 1, expert: 0, rank: 0), worker: 1)) {
            try Placement(epoch: 0, parallelism: two, stages: stages, experts: 2) { _ in [1, 1] }
        }
        #expect(throws: PlacementError.noWorker(Slot(layer: 1, expert: 0, rank: 0))) {
            try Placement(epoch: 0, parallelism: two, stages: stages, experts: 2) { _ in [] }
        }
    }
}
