import Foundation
import Testing

@Suite struct SimulationTests {
    /// COHORT_SIMULATION_SEED=N plays one seed again; COHORT_SIMULATION_SEEDS=N plays so many.
    private static let seeds: Range<UInt64> = {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["COHORT_SIMULATION_SEED"].flatMap(UInt64.init) { return seed..<seed + 1 }
        return 0..<(environment["COHORT_SIMULATION_SEEDS"].flatMap(UInt64.init) ?? 2000)
    }()

    @Test("whatever happens to workers, every result is right, no slot is leaked and all comes to rest")
    func chaos() throws {
        var (switches, losses, resent, hedged) = (0, 0, 0, 0)
        for seed in Self.seeds {
            let world = try SimulatedWorld(seed: seed)
            do {
                try world.run(steps: 12)
            } catch {
                Issue.record("seed \(seed): \(error)")
            }
            switches += world.totals.switches
            losses += world.totals.lostWorkers
            resent += world.totals.resentPairs
            hedged += world.totals.hedgedPairs
        }
        // Chance must have brought about enough of everything.
        let count = Self.seeds.count
        #expect(count == 1 || switches > 5 * count && losses > count && resent > count && hedged > count / 10)
    }
}
