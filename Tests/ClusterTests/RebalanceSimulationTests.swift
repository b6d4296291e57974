import Cluster
import Testing

@Suite struct RebalanceSimulationTests {
    @Test("whatever happens in whatever order: no slot leaked, none freed under a flight, gaps reported, all comes to rest")
    func random() throws {
        for seed in 0..<2000 as Range<UInt64> {
            var cluster = try SimulatedCluster(seed: seed)
            try cluster.run(steps: 150)
            #expect(cluster.hasChanged || seed > 0)
        }
    }
}
