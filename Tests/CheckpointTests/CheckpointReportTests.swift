internal import Checkpoint
internal import Foundation
internal import Testing

@Suite struct CheckpointReportTests {
    @Test("R1's config alone gives the published totals, layer by layer and role by role")
    func r1() throws {
        let layout = ModelLayout(try ModelConfig(folder: SampleConfig.r1Folder))
        let report = CheckpointReport(layout, model: "DeepSeek-R1")
        #expect(report.total.tensors == 91_991 && report.total.bytes == 688_574_839_360)
        #expect(report.layers.map(\.kind) == [.dense, .experts, .mtp])
        #expect(report.layers.map(\.first) == [0, 3, 61] && report.layers.map(\.last) == [2, 60, 61])
        #expect(report.roles.reduce(0) { $0 + $1.total.bytes } == report.total.bytes)
        let routed = try #require(report.roles.first { $0.name == "routed experts" })
        #expect(routed.total.parameters == 58 * 256 * 3 * 2048 * 7168)
        #expect(report.text.contains("688,574,839,360"))
        #expect(report.text.contains("layers 3-60, experts"))
        #expect(report.shards.isEmpty)
    }

    @Test("a checkpoint's files are counted tensor by tensor, unknown ones too, and the report survives JSON")
    func files() throws {
        let source = try TemporaryFolder()
        let output = try TemporaryFolder()
        try source.write(SampleConfig.v3.json, "config.json")
        let synthetic = try SyntheticCheckpoint(configFile: source.file("config.json"), format: nil, seed: 1)
        try synthetic.write(to: output.path, threads: 1)
        let report = try CheckpointReport(Checkpoint(folder: output.path))
        let expected = CheckpointReport(synthetic.layout, model: output.path)
        #expect(report.total == expected.total && report.roles == expected.roles)
        #expect(report.layers == expected.layers && report.dtypes == expected.dtypes)
        #expect(report.shards.map(\.name) == ["model-00001-of-000001.safetensors"])
        #expect(report.shards.first?.total == report.total)
        #expect(try JSONDecoder().decode(CheckpointReport.self, from: JSONEncoder().encode(report)) == report)
        try output.write(StoredTensor.file([.f32("extra", [3], [1, 2, 3])]), "model.safetensors")
        try FileManager.default.removeItem(atPath: output.file("model.safetensors.index.json"))
        let other = try CheckpointReport(Checkpoint(folder: output.path))
        #expect(other.roles.map(\.name) == ["other"] && other.total.parameters == 3)
    }
}
