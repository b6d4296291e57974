import Bench
import Cluster
import Testing

@Suite struct CohortPolicyTests {
    static let seeds = Array(0..<150 as Range<UInt64>)

    /// Every slot held, no expert twice on a worker (two slices of one only where `isCramped`: nobody without the
    /// expert has room), all inside the stage and the capacities.
    static func check(_ holdings: Holdings, _ input: PolicyInput, isWhole: Bool = true, isCramped: Bool = false) {
        #expect(holdings.isWhole == isWhole)
        for stage in input.stages {
            let crew = Set(input.workers.filter { $0.stage == stage.index }.map(\.index))
            for layer in stage.layers {
                for expert in 0..<holdings.expertCount {
                    let holders = (0..<holdings.tensor).flatMap {
                        holdings.holders(of: Slot(layer: layer, expert: expert, rank: $0))
                    }
                    #expect(holders.allSatisfy(crew.contains))
                    if Set(holders).count == holders.count { continue }
                    let others = input.workers.filter {
                        $0.takesSlots && crew.contains($0.index) && !holders.contains($0.index)
                    }
                    #expect(isCramped && others.allSatisfy { holdings.slotCount(of: $0.index) == $0.slots })
                }
            }
        }
        for worker in input.workers {
            #expect(holdings.slotCount(of: worker.index) <= worker.slots)
            #expect(holdings.slotCount(of: worker.index) == holdings.slots(of: worker.index).count)
        }
    }

    /// Applies the changes one by one; what a worker is to free counts until its change is over.
    static func carryOut(_ way: Rearrangement, _ input: PolicyInput) -> Holdings {
        var holdings = input.holdings
        for change in way.changes {
            for worker in input.workers {
                let fills = change.fills.count { $0.worker == worker.index }
                #expect(fills == 0 || holdings.slotCount(of: worker.index) + fills <= worker.slots)
            }
            for fill in change.fills {
                #expect(!holdings.holders(of: fill.slot).contains(fill.worker))
                if case .worker(let source) = fill.source {
                    #expect(holdings.holders(of: fill.slot).contains(source))
                }
            }
            for free in change.frees { #expect(holdings.holders(of: free.slot).contains(free.worker)) }
            let gaps = Set(holdings.missing)
            holdings.apply(change)
            #expect(gaps.isSuperset(of: holdings.missing))
        }
        return holdings
    }

    @Test("a placement from nothing is whole, without doubles, inside the capacities, and the same every time")
    func deal() throws {
        for seed in Self.seeds {
            let random = try RandomPolicyInput(seed: seed)
            let holdings = try random.policy.deal(random.input)
            Self.check(holdings, random.input)
            #expect(try random.policy.deal(random.input) == holdings)
            if let redundant = random.policy.redundantExperts {
                let most = (holdings.expertCount + redundant) * holdings.tensor * holdings.layers.count
                #expect(holdings.slotCount <= most)
            }
        }
    }

    @Test("without load and without redundant slots the placement is the uniform one")
    func uniform() throws {
        for workers in [1, 2, 5, 8] {
            let parallelism = try Parallelism(tensor: 1, pipeline: 1, workers: workers)
            let layers = [3, 4]
            let uniform = try Placement.uniform(
                layers: layers, experts: 37, parallelism: parallelism,
                workerWeights: Array(repeating: 1, count: workers))
            let input = try PolicyInput(
                holdings: Holdings(uniform), stages: uniform.stages,
                workers: (0..<workers).map { WorkerCapacity(index: $0, slots: 1000) },
                loads: .none(layers: layers, experts: 37), sliceBytes: [1000])
            #expect(try CohortPolicy(redundantExperts: 0).deal(input) == Holdings(uniform))
            #expect(CohortPolicy(redundantExperts: 0).rebalance(input).isEmpty)
        }
    }

    @Test("a rebalance is never worse than before and keeps budget and capacities")
    func rebalance() throws {
        var moved = 0
        for seed in Self.seeds {
            var random = try RandomPolicyInput(seed: seed)
            random.input.holdings = try random.policy.deal(random.input)
            random.input.loads = random.loads(seed: seed ^ 77)
            for budget in [0, 3000, 30_000, nil] {
                random.policy.budgetBytes = budget
                let way = random.policy.rebalance(random.input)
                let after = Self.carryOut(way, random.input)
                Self.check(after, random.input)
                #expect(way.after.peak <= way.before.peak * (1 + 1e-9))
                #expect(way.byteCount <= budget ?? Int.max)
                #expect(random.policy.rebalance(random.input) == way)
                moved += way.byteCount
            }
        }
        #expect(moved > 0)
    }

    @Test("repeated with the same load it soon has nothing to do")
    func settles() throws {
        for seed in Self.seeds {
            var random = try RandomPolicyInput(seed: seed)
            random.input.holdings = try random.policy.deal(random.input)
            random.input.loads = random.loads(seed: seed ^ 77)
            var rounds = 0
            while rounds < 6 {
                let way = random.policy.rebalance(random.input)
                if way.isEmpty { break }
                random.input.holdings = Self.carryOut(way, random.input)
                rounds += 1
            }
            #expect(rounds <= 3, "\(seed)")
        }
    }

    @Test("below the threshold nothing moves")
    func threshold() throws {
        for seed in Self.seeds.prefix(40) {
            var random = try RandomPolicyInput(seed: seed)
            random.policy.redundantExperts = 0
            random.input.holdings = try random.policy.deal(random.input)
            random.input.loads = random.loads(seed: seed ^ 99)
            random.policy.threshold = 0
            let way = random.policy.rebalance(random.input)
            random.policy.threshold = way.gain + 0.001
            #expect(random.policy.rebalance(random.input).isEmpty)
            random.policy.threshold = way.gain - 0.001
            #expect(random.policy.rebalance(random.input) == way)
        }
    }

    @Test("a new worker gets its share, nobody else gets anything, and the bytes are those of its slots")
    func admit() throws {
        for seed in Self.seeds {
            var random = try RandomPolicyInput(seed: seed)
            random.input.holdings = try random.policy.deal(random.input)
            let index = random.input.workers.count
            random.input.workers.append(WorkerCapacity(index: index, slots: 40))
            let way = random.policy.admit(index, random.input)
            let after = Self.carryOut(way, random.input)
            Self.check(after, random.input, isCramped: true)
            #expect(way.changes.allSatisfy { $0.fills.allSatisfy { $0.worker == index } })
            let bytes = after.slots(of: index).reduce(0) { $0 + random.input.sliceBytes[$1.rank] }
            #expect(way.byteCount == bytes)
            #expect(way.after.peak <= way.before.peak * (1 + 1e-9))
        }
    }

    @Test("a new worker of the same kind takes about its part of the tokens")
    func admitShare() throws {
        let trace = RoutingTrace(tokens: 2048, seed: 3)
        for workers in [4, 8, 15] {
            var input = try CohortPolicyZipfTests.input(
                trace.loads(0..<trace.tokenCount), workers: workers, slots: (288 + workers - 1) / workers)
            let policy = CohortPolicy(redundantExperts: 32)
            input.holdings = try policy.deal(input)
            input.workers.append(WorkerCapacity(index: workers, slots: 72))
            let way = policy.admit(workers, input)
            #expect(way.after.maximumOverMean < 1.02, "\(workers)")
        }
    }

    @Test("draining moves only what the worker alone holds")
    func drain() throws {
        for seed in Self.seeds {
            var random = try RandomPolicyInput(seed: seed)
            random.input.holdings = try random.policy.deal(random.input)
            let leaving = Int(seed) % random.input.workers.count
            random.input.workers[leaving].takesSlots = false
            let held = Set(random.input.holdings.slots(of: leaving))
            let way = random.policy.drain(leaving, random.input)
            let after = Self.carryOut(way, random.input)
            Self.check(after, random.input, isCramped: true)
            #expect(way.changes.allSatisfy { $0.fills.allSatisfy { held.contains($0.slot) && $0.worker != leaving } })
            let alone = held.filter { random.input.holdings.holders(of: $0).count == 1 }
            #expect(way.changes.flatMap(\.fills).allSatisfy { alone.contains($0.slot) })
            #expect(after.slots(of: leaving) == way.unplaced)
        }
    }

    @Test("after a loss what is missing is placed with the survivors or reported, and read from the checkpoint")
    func repair() throws {
        for seed in Self.seeds {
            var random = try RandomPolicyInput(seed: seed)
            random.input.holdings = try random.policy.deal(random.input)
            let lost = Int(seed) % random.input.workers.count
            random.input.holdings.removeAll(of: lost)
            random.input.workers.removeAll { $0.index == lost }
            let missing = Set(random.input.holdings.missing)
            let way = random.policy.repair(random.input)
            let after = Self.carryOut(way, random.input)
            #expect(after.missing == way.unplaced)
            if !missing.isEmpty { #expect(way.changes.flatMap(\.fills).allSatisfy { missing.contains($0.slot) }) }
            #expect(way.changes.flatMap(\.fills).allSatisfy { $0.source == .checkpoint })
            Self.check(after, random.input, isWhole: way.unplaced.isEmpty, isCramped: true)
        }
    }

    @Test("a worker without the checkpoint gets slots from a worker that has them")
    func sources() throws {
        var random = try RandomPolicyInput(seed: 5)
        random.input.holdings = try random.policy.deal(random.input)
        let index = random.input.workers.count
        random.input.workers.append(WorkerCapacity(index: index, slots: 40, readsCheckpoint: false))
        let way = random.policy.admit(index, random.input)
        _ = Self.carryOut(way, random.input)
        let fills = way.changes.flatMap(\.fills)
        #expect(!fills.isEmpty && fills.allSatisfy { $0.source != .checkpoint })
    }

    @Test("too little memory is refused with what is needed")
    func refusals() throws {
        let input = try CohortPolicyZipfTests.input(Array(repeating: 1, count: 256), workers: 4, slots: 63)
        #expect(throws: PolicyError.tooFewSlots(stage: 0, needed: 256, available: 252)) {
            try CohortPolicy().deal(input)
        }
    }
}
