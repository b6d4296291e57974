import Cluster
import Testing

@Suite struct RebalanceSimulationTests {
    @Test("whatever happens: no slot leaked, none freed under a flight, gaps reported, all comes to rest")
    func random() throws {
        var epochs: UInt32 = 0
        for seed in 0..<2000 as Range<UInt64> {
            var cluster = try SimulatedCluster(seed: seed)
            try cluster.run(steps: 100)
            epochs += cluster.rebalance.epoch - 1
        }
        #expect(epochs > 5000)
    }
}
