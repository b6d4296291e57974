import Checkpoint
import Cluster
import Foundation
import Kernels
import Testing

@Suite struct PlanTests {
    /// Rows and answers in bf16.
    static func bf16(_ config: ModelConfig) -> WireCost {
        let row = 2 * config.hiddenSize
        return WireCost(rowByteSize: row, answerByteSize: row, pairByteSize: 8, headerByteSize: 48)
    }

    static func report(
        _ config: ModelConfig, _ options: PlanInput.Options, cluster: ClusterConfig? = nil
    ) throws -> PlanReport {
        try Plan(config: config, input: PlanInput(options: options, cluster: cluster), wire: bf16(config)).report
    }

    static func failure(_ config: ModelConfig, _ options: PlanInput.Options) -> PlanError? {
        #expect(throws: PlanError.self) { try report(config, options) }
    }

    /// C(n, k) / C(m, k) from the definition, in whole numbers' quotients.
    static func ratio(_ n: Int, _ m: Int, choose k: Int) -> Double {
        func ways(_ n: Int) -> Double { (0..<k).reduce(1.0) { $0 * Double(n - $1) / Double($1 + 1) } }
        return ways(n) / ways(m)
    }

    @Test("R1's bytes are the published ones")
    func modelBytes() throws {
        let report = try Self.report(Fixtures.r1(), .init(expert: 4))
        let model = report.model
        #expect(model.weightBytes == 673_150_611_808)
        #expect(model.expertBytes == 3 * 2048 * 7168 + 3 * 16 * 56 * 4)
        #expect(model.routedBytes == 58 * 256 * model.expertBytes && model.routedBytes / 1_000_000_000 == 654)
        #expect(abs(Double(model.expertBytes * 58) / 1e9 - 2.55) < 0.01)
        #expect(model.kvBytesPerToken == 70_272 && model.moeLayers == 58)
        #expect(report.coordinator.weightBytes == model.weightBytes - model.routedBytes)
        #expect(report.coordinator.kvBytes == 8 * 4096 * 70_272)
        #expect(report.workers.map(\.weightBytes) == Array(repeating: 163_517_104_128, count: 4))
    }

    @Test("R1's bytes follow what its weights are held as")
    func heldBytes() throws {
        let stored = try Self.report(Fixtures.r1(), .init(expert: 4))
        func held(_ expert: HeldDType?, _ dense: HeldDType?, _ options: PlanInput.Options) throws -> PlanReport {
            let held = HeldDTypes(expert: expert, dense: dense)
            return try Plan(
                config: Fixtures.r1(), input: PlanInput(options: options), held: held, wire: Self.bf16(Fixtures.r1())
            ).report
        }
        // 4 bits for each weight, 32 for each 128.
        let int4 = try held(.int4, nil, .init(expert: 4))
        #expect(int4.model.expertBytes == 3 * 2048 * 7168 / 2 + 3 * 2048 * 7168 / 128 * 4)
        #expect(int4.coordinator.weightBytes == stored.coordinator.weightBytes)
        #expect(int4.workers.allSatisfy { $0.weightBytes == 58 * 64 * int4.model.expertBytes })
        // Slices begin with groups of their own.
        let sliced = try held(.int4, nil, .init(tensor: 3))
        let widths = [683, 683, 682]
        #expect(
            sliced.workers.map(\.weightBytes)
                == widths.map { width in
                    58 * 256
                        * (2 * width * (3584 + 56 * 4) + 7168 * ((width + 1) / 2 + (width + 127) / 128 * 4))
                })
        let same = try held(.fp8, .fp8, .init(expert: 4))
        #expect(same.model.routedBytes == stored.model.routedBytes)
        // The head is bf16 as published.
        #expect(same.coordinator.weightBytes < stored.coordinator.weightBytes - 129_280 * 7168 * 9 / 10)
        let wide = try held(.bf16, .bf16, .init(expert: 4))
        #expect(wide.model.expertBytes == 6 * 2048 * 7168)
    }

    @Test("R1 at TP 8, PP 2, EP 4 on 64 workers has 29 + 29 layers, 64 slices of 256 columns, and nothing left over")
    func sixtyFour() throws {
        let report = try Self.report(Fixtures.r1(), .init(tensor: 8, pipeline: 2, expert: 4))
        #expect(report.split.workers == 64 && report.split.expertParallelSize == 4)
        #expect(report.split.stages.map(\.layers) == [29, 29])
        #expect(report.split.stages.map(\.firstLayer) == [3, 32] && report.split.stages.map(\.lastLayer) == [31, 60])
        #expect(report.split.stages.allSatisfy { $0.workers == 32 && $0.sliceColumnsMin == 256 })
        #expect(report.split.stages.allSatisfy { $0.sliceColumnsMax == 256 })
        let slice = 3 * 256 * 7168 + 3 * 2 * 56 * 4
        for worker in report.workers {
            #expect(worker.expertsPerLayerMin == 64 && worker.expertsPerLayerMax == 64 && worker.layers == 29)
            #expect(worker.weightBytes == 29 * 64 * slice)
        }
        #expect(report.totals.workerWeightBytes == report.model.routedBytes)
        let groups = 4 * (1 - Self.ratio(192, 256, choose: 8))
        #expect(report.split.stages.allSatisfy { abs($0.distinctWorkersPerToken - 8 * groups) < 1e-9 })
    }

    @Test("a token's rows go out once per distinct worker, and every answer comes back")
    func network() throws {
        let report = try Self.report(Fixtures.r1(), .init(expert: 4))
        let distinct = 4 * (1 - Self.ratio(192, 256, choose: 8))
        #expect(abs(distinct - 3.6) < 0.02)
        let out = 58 * (distinct * (14_336 + 48) + 8 * 8)
        let back = 58 * (8 * 14_336 + distinct * 48)
        #expect(abs(report.coordinator.networkBytesOutPerToken - out) < 1e-3)
        #expect(abs(report.coordinator.networkBytesBackPerToken - back) < 1e-3)
        let ofWorkers = report.workers.reduce(0) { $0 + $1.networkBytesOutPerToken + $1.networkBytesBackPerToken }
        #expect(abs(ofWorkers - report.totals.networkBytesPerToken) < 1e-3)
        #expect(abs(report.totals.networkBytesPerToken - out - back) < 1e-3)
        #expect(report.totals.roundTripsPerToken == 58)
    }

    @Test("rows may weigh less than answers: R1's in eight bits with 56 scales, answered in bf16")
    func narrowRows() throws {
        let wire = WireCost(rowByteSize: 7392, answerByteSize: 14_336, pairByteSize: 8, headerByteSize: 48)
        let report = try Plan(config: Fixtures.r1(), input: PlanInput(options: .init(expert: 4)), wire: wire).report
        let distinct = 4 * (1 - Self.ratio(192, 256, choose: 8))
        #expect(abs(report.coordinator.networkBytesOutPerToken - 58 * (distinct * (7392 + 48) + 8 * 8)) < 1e-3)
        #expect(abs(report.coordinator.networkBytesBackPerToken - 58 * (8 * 14_336 + distinct * 48)) < 1e-3)
    }

    @Test("with one worker the ceiling is bytes over bandwidth, reckoned by hand")
    func ceiling() throws {
        let cluster = try ClusterConfig(
            yaml: """
                coordinator: {host: a, port: 1, memory: 1TiB, memory-bandwidth: 100GB/s, link-bandwidth: 1TB/s}
                secret-file: s
                workers: [{name: w, host: b, memory: 1TiB, memory-bandwidth: 400GB/s, link-bandwidth: 1TB/s}]
                """, file: "c.yaml")
        let report = try Self.report(Fixtures.r1(), .init(concurrency: 1, context: 1000), cluster: cluster)
        let ceiling = try #require(report.ceilings.first)
        let embedding = 129_280 * 7168 * 2
        let coordinatorBytes = Double(report.coordinator.weightBytes - embedding + 14_336 + 1000 * 70_272)
        let expertBytes = Double(58 * 8 * 44_050_944)
        #expect(abs(ceiling.coordinatorBytes - coordinatorBytes) < 1)
        #expect(abs(ceiling.workerBytes / expertBytes - 1) < 1e-9)
        let network = Double(58 * (14_336 + 48 + 64)) / 1e12 + Double(58 * (8 * 14_336 + 48)) / 1e12
        let shared = 58 * 44_050_944 / 100e9
        let step = coordinatorBytes / 100e9 + expertBytes / 400e9 + network - shared
        #expect(abs(ceiling.networkSeconds / network - 1) < 1e-9)
        #expect(abs(ceiling.stepSeconds / step - 1) < 1e-9)
        #expect(abs(ceiling.tokensPerSecond * step - 1) < 1e-9)
        #expect(ceiling.bound == .coordinatorMemory && report.ceilings.count == 1)
    }

    @Test("the bound is the resource that is busy longest")
    func bounds() throws {
        func bound(coordinator: String, worker: String, link: String) throws -> PlanReport.Bound? {
            let cluster = try ClusterConfig(
                yaml: """
                    coordinator: {host: a, port: 1, memory: 1TB, memory-bandwidth: \(coordinator)}
                    secret-file: s
                    workers: [{name: w, host: b, memory: 1TB, memory-bandwidth: \(worker), link-bandwidth: \(link)}]
                    """, file: "c.yaml")
            return try Self.report(Fixtures.r1(), .init(), cluster: cluster).ceilings.last?.bound
        }
        #expect(try bound(coordinator: "1GB/s", worker: "1TB/s", link: "1TB/s") == .coordinatorMemory)
        #expect(try bound(coordinator: "1TB/s", worker: "1GB/s", link: "1TB/s") == .workerMemory)
        #expect(try bound(coordinator: "1TB/s", worker: "1TB/s", link: "1Mb/s") == .network)
    }

    @Test("more workers, more stages and more sequences never lower the ceiling of the whole cluster")
    func monotone() throws {
        let config = try Fixtures.r1()
        var last = 0.0
        for expert in [1, 2, 4, 8, 16] {
            let best = try #require(try Self.report(config, .init(expert: expert)).ceilings.last).tokensPerSecond
            #expect(best > last)
            last = best
        }
        let one = try Self.report(config, .init(expert: 8, concurrency: 32)).ceilings
        let two = try Self.report(config, .init(pipeline: 2, expert: 4, concurrency: 32)).ceilings
        #expect(one[1].tokensPerSecond > one[0].tokensPerSecond)
        #expect(one[1].batches == 1 && two[1].batches == 2 && two[0].batches == 1)
    }

    @Test("slices that cut a scale block count it on both sides")
    func unevenSlices() throws {
        let report = try Self.report(Fixtures.r1(), .init(tensor: 3))
        #expect(report.split.stages[0].sliceColumnsMin == 682 && report.split.stages[0].sliceColumnsMax == 683)
        // 0..<683 and 1366..<2048 touch 6 of 16 blocks each, 683..<1366 touches blocks 5 to 10.
        let blocks = 6 + 6 + 6
        let expected = 3 * 2048 * 7168 + 3 * blocks * 56 * 4
        #expect(report.totals.workerWeightBytes == 58 * 256 * expected)
    }

    @Test("workers with more memory get more experts")
    func weighted() throws {
        let cluster = try ClusterConfig(
            yaml: """
                coordinator: {host: a, port: 1, memory: 1TB}
                secret-file: s
                workers:
                  - {name: big, host: b, memory: 600GB}
                  - {name: small, host: c, memory: 200GB}
                """, file: "c.yaml")
        let report = try Self.report(Fixtures.r1(), .init(), cluster: cluster)
        #expect(report.workers.map(\.expertsPerLayerMax) == [192, 64])
        #expect(report.workers.map(\.weightBytes).reduce(0, +) == report.model.routedBytes)
    }

    @Test("a plan that does not fit is refused with who lacks how many bytes, and what would do")
    func refusals() throws {
        let config = try Fixtures.r1()
        let worker = try #require(Self.failure(config, .init(expert: 4, workerMemoryBytes: 128 << 30)))
        guard case .workersTooSmall(let shortfalls, _, _, let expertSize) = worker else {
            Issue.record("\(worker)")
            return
        }
        #expect(shortfalls.map(\.name) == ["worker-1", "worker-2", "worker-3", "worker-4"])
        #expect(shortfalls[0].shortBytes == 163_517_104_128 - 128 << 30)
        #expect(worker.description.contains("26,078,150,656 B short"))
        let enough = try #require(expertSize)
        #expect(enough == 5)
        #expect(throws: Never.self) { try Self.report(config, .init(expert: enough, workerMemoryBytes: 128 << 30)) }
        #expect(throws: PlanError.self) {
            try Self.report(config, .init(expert: enough - 1, workerMemoryBytes: 128 << 30))
        }

        let cache = try #require(Self.failure(config, .init(concurrency: 64, coordinatorMemoryBytes: 32 << 30)))
        guard case .coordinatorTooSmall(let shortfall, let weightBytes, let affordable) = cache else {
            Issue.record("\(cache)")
            return
        }
        #expect(weightBytes == 19_082_195_296 && shortfall.neededBytes == weightBytes + 64 * 4096 * 70_272)
        #expect(throws: Never.self) {
            try Self.report(config, .init(concurrency: affordable, coordinatorMemoryBytes: 32 << 30))
        }
        #expect(throws: PlanError.self) {
            try Self.report(config, .init(concurrency: affordable + 1, coordinatorMemoryBytes: 32 << 30))
        }
        let weights = try #require(Self.failure(config, .init(coordinatorMemoryBytes: 16 << 30)))
        #expect(weights.description.contains("its weights alone take 19,082,195,296 B"))
    }

    @Test("a plan that fits to the byte is taken")
    func exactFit() throws {
        let config = try Fixtures.r1()
        let report = try Self.report(config, .init(expert: 4))
        func options(_ worker: Int, _ coordinator: Int) -> PlanInput.Options {
            .init(expert: 4, workerMemoryBytes: worker, coordinatorMemoryBytes: coordinator)
        }
        let (worker, coordinator) = (report.workers[0].weightBytes, report.coordinator.totalBytes)
        #expect(throws: Never.self) { try Self.report(config, options(worker, coordinator)) }
        #expect(Self.failure(config, options(worker - 1, coordinator)) != nil)
        #expect(Self.failure(config, options(worker, coordinator - 1)) != nil)
    }

    @Test("options that contradict or exceed are refused")
    func wrongOptions() throws {
        let config = try Fixtures.r1()
        #expect(Self.failure(config, .init(tensor: 4096)) == .slicesTooThin(tensor: 4096, width: 2048))
        #expect(
            Self.failure(config, .init(context: 200_000)) == .contextTooLong(context: 200_000, maximum: 163_840))
        #expect(Self.failure(config, .init(concurrency: 0))?.description.hasPrefix("--concurrency is 0") == true)
        #expect(Self.failure(config, .init(concurrency: 1 << 27, context: 163_840)) != nil)
        #expect(
            Self.failure(config, .init(pipeline: 59))
                == .placement(.moreStagesThanLayers(pipeline: 59, layers: 58)))
        #expect(Self.failure(config, .init(tensor: 1 << 27, pipeline: 1 << 27, expert: 1 << 27)) != nil)
        let cluster = try ClusterConfig(
            yaml: ClusterConfigTests.head + ClusterConfigTests.workers, file: "c.yaml")
        let error = #expect(throws: PlanError.self) { try Self.report(config, .init(expert: 4), cluster: cluster) }
        #expect(error?.description.contains("is 4 workers, but the cluster file lists 1") == true)
    }
}
