import Cluster
import TestSupport

/// Seeded inputs of all kinds for the policy: odd numbers of workers, tight and ample memory, slices, stages, no load.
struct RandomPolicyInput {
    var input: PolicyInput
    var policy: CohortPolicy

    init(seed: UInt64) throws {
        var generator = SplitMix(seed: seed)
        let tensor = [1, 1, 1, 2, 3].randomElement(using: &generator)!
        let pipeline = Int.random(in: 1...2, using: &generator)
        let experts = Int.random(in: 3...24, using: &generator)
        let crew = Int.random(in: tensor + 1...tensor + 6, using: &generator)
        let layersPerStage = Int.random(in: 1...3, using: &generator)
        let stages = (0..<pipeline).map { stage in
            Stage(
                index: stage, layers: (0..<layersPerStage).map { 3 + stage * layersPerStage + $0 },
                workers: stage * crew..<(stage + 1) * crew)
        }
        let layers = stages.flatMap(\.layers)
        let least = (experts * tensor * layersPerStage + crew - 1) / crew
        let spare = [0, 1, 3, 20].randomElement(using: &generator)!
        var workers: [WorkerCapacity] = []
        for stage in stages {
            for worker in stage.workers {
                workers.append(
                    WorkerCapacity(
                        index: worker, stage: stage.index,
                        slots: least + tensor + Int.random(in: 0...spare, using: &generator),
                        speed: Bool.random(using: &generator) ? 1 : Double.random(in: 0.5...2, using: &generator)))
            }
        }
        let isLoaded = Int.random(in: 0..<5, using: &generator) > 0
        let tokens = (0..<layers.count * experts).map { _ in
            isLoaded ? Double(1000 / Int.random(in: 1...experts, using: &generator)) : 0
        }
        input = try PolicyInput(
            holdings: Holdings(layers: layers, experts: experts, tensor: tensor), stages: stages, workers: workers,
            loads: ExpertLoads(layers: layers, experts: experts, tokens: tokens),
            sliceBytes: (0..<tensor).map { 1000 - $0 })
        policy = CohortPolicy(
            redundantExperts: [nil, 0, 1, 4].randomElement(using: &generator)!, budgetBytes: nil, threshold: 0.02)
    }

    /// Other loads, as after the traffic has changed.
    func loads(seed: UInt64) -> ExpertLoads {
        var generator = SplitMix(seed: seed)
        let experts = input.loads.expertCount
        return ExpertLoads(
            layers: input.loads.layers, experts: experts,
            tokens: input.loads.tokens.map { _ in 1000 / Double(Int.random(in: 1...experts, using: &generator)) })
    }
}
