import Cluster
import Testing

@Suite struct MeasuredRatesTests {
    static let sample = MeasuredRates(
        coordinator: .init(memoryBandwidth: 44e9, multiplyAddsPerSecond: 267e9),
        worker: .init(memoryBandwidth: 36e9, multiplyAddsPerSecond: MeasuredRates.most), roundTripSeconds: 335e-6,
        linkBandwidth: 5.5e9)

    @Test("a file comes back as it was written")
    func roundTrip() throws {
        #expect(try MeasuredRates.decode(Self.sample.encoded(), file: "m.json") == Self.sample)
    }

    @Test("what is no such file, or has rates that no machine has, is refused by the file's name")
    func refused() throws {
        let text = String(decoding: try Self.sample.encoded(), as: UTF8.self)
        for wrong in [
            "", "{}", "[1, 2]", text.replacing("cohort-machine", with: "cohort-load"),
            text.replacing("44000000000", with: "-1"), text.replacing("44000000000", with: "0"),
            text.replacing("44000000000", with: "1e300"), text.replacing("44000000000", with: "\"fast\""),
            text.replacing("0.000335", with: "2"), text.replacing("\"link_bandwidth\"", with: "\"link\""),
        ] {
            #expect(text != wrong)
            let error = #expect(throws: MeasuredRatesError.self) {
                try MeasuredRates.decode(Array(wrong.utf8), file: "m.json")
            }
            #expect(error?.description.hasPrefix("m.json ") == true)
        }
    }

    @Test("a plan with measured rates takes them for all machines, and says so")
    func plan() throws {
        let limits = try PlanTests.report(Fixtures.r1(), .init(expert: 4, concurrency: 1))
        let measured = try PlanTests.report(
            Fixtures.r1(), .init(expert: 4, concurrency: 1, rates: Self.sample))
        #expect(measured.isMeasured && !limits.isMeasured)
        #expect(
            measured.coordinator.memoryBandwidth == 44e9 && measured.workers.allSatisfy { $0.memoryBandwidth == 36e9 })
        #expect(measured.assumptions.contains { $0.contains("measured") })
        let (slow, fast) = (measured.ceilings[0], limits.ceilings[0])
        // Bytes at the coordinator's rate, and R1's 16.2 G multiply-adds outside of the routed experts, of which the
        // embedding has none.
        let multiplyAdds = (slow.coordinatorSeconds - slow.coordinatorBytes / 44e9) * 267e9
        #expect(abs(multiplyAdds / 16.2e9 - 1) < 0.03)
        let bytes = (fast.networkSeconds * 3.125e9 / 5.5e9)
        #expect(abs(slow.networkSeconds - bytes - 58 * 335e-6) < 1e-6)
        #expect(slow.workerSeconds > fast.workerSeconds * 200 / 36 * 0.999)
    }

    @Test("a cluster file's own rates win")
    func clusterFile() throws {
        let cluster = try ClusterConfig(
            yaml: """
                coordinator: {host: a, port: 1, memory: 1TiB, memory-bandwidth: 100GB/s}
                secret-file: s
                workers: [{name: w, host: b, memory: 1TiB, link-bandwidth: 1GB/s}]
                """, file: "c.yaml")
        let report = try PlanTests.report(Fixtures.r1(), .init(rates: Self.sample), cluster: cluster)
        #expect(report.coordinator.memoryBandwidth == 100e9 && report.coordinator.linkBandwidth == 5.5e9)
        #expect(report.workers[0].memoryBandwidth == 36e9 && report.workers[0].linkBandwidth == 1e9)
    }

    @Test("the shared expert hides the workers' time where they have processors of their own, and there alone")
    func sharedProcessors() throws {
        let apart = try PlanTests.report(Fixtures.r1(), .init(expert: 4, concurrency: 1))
        let together = try PlanTests.report(Fixtures.r1(), .init(expert: 4, concurrency: 1, host: "here"))
        let (one, other) = (apart.ceilings[0], together.ceilings[0])
        #expect(other.coordinatorSeconds == one.coordinatorSeconds && other.workerSeconds == one.workerSeconds)
        let hidden = 58 * Double(apart.model.expertBytes) / 200e9
        #expect(abs(other.stepSeconds - one.stepSeconds - hidden) < 1e-9)
    }
}
