import Checkpoint
import Foundation
import Kernels
import TestSupport
import Testing

@Suite struct HeldReportTests {
    @Test("every matrix of a role is converted, and the error stated is that of its dtype")
    func errors() throws {
        let checkpoint = try Checkpoint(folder: Fixture("tiny-r1-fp8").model)
        let team = ThreadTeam(threads: 2)
        let report = try HeldReport(checkpoint, held: HeldDTypes(expert: .int4, dense: .int8), team: team)
        let roles = Dictionary(grouping: report.groups, by: \.role)
        let config = checkpoint.config
        let layers = config.layerCount - config.denseLayerCount
        #expect(roles["routed experts"]?.map(\.matrices) == [3 * layers * config.expertCount])
        #expect(roles["router"] == nil && roles["embedding"] == nil && roles["norms"] == nil)
        for group in report.groups {
            let bounds = group.dtype == "int4" ? 0.05...0.12 : 0.001...0.01
            #expect(bounds ~= group.relativeRMSError, "\(group.role): \(group.relativeRMSError)")
            #expect(group.largestRelativeError < (group.dtype == "int4" ? 0.22 : 0.005), "\(group.role)")
        }
        let again = try HeldReport(checkpoint, held: HeldDTypes(expert: .fp8), team: team)
        #expect(again.groups.map(\.relativeRMSError) == again.groups.map { _ in 0 })
    }

    @Test("weights that are no finite numbers are counted and named, and the error is that of the others")
    func brokenWeights() throws {
        let source = URL(fileURLWithPath: Fixture("tiny-r1-fp8").model)
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("broken-\(UUID().uuidString)")
        try FileManager.default.copyItem(at: source, to: folder)
        defer { try? FileManager.default.removeItem(at: folder) }
        let name = LayerTensorNames(layer: 2).expert(3).up
        let (file, record) = try Checkpoint(folder: folder.path).record(of: name)
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
        try handle.seek(toOffset: UInt64(record.byteOffset + 5))
        try handle.write(contentsOf: [0x7F])
        try handle.close()
        for dtype in [HeldDType.int8, .int4, .bf16] {
            let report = try HeldReport(
                Checkpoint(folder: folder.path), held: HeldDTypes(expert: dtype), team: ThreadTeam(threads: 2))
            let group = try #require(report.groups.first)
            // The group of columns that has it, or it alone.
            let columns = min(record.shape[1], HeldDType.groupColumns)
            #expect(group.brokenWeights == (dtype == .bf16 ? 1 : columns))
            #expect(group.firstBroken == name)
            #expect(group.relativeRMSError < 0.12)
            #expect(report.text.contains("\(group.brokenWeights) weights are no finite numbers, first in \(name)"))
            _ = try JSONEncoder().encode(report)
        }
        let whole = try HeldReport(
            Checkpoint(folder: source.path), held: HeldDTypes(expert: .int8), team: ThreadTeam(threads: 2))
        #expect(whole.groups.allSatisfy { $0.brokenWeights == 0 && $0.firstBroken == nil })
        #expect(!whole.text.contains("finite"))
    }

    @Test("INT4 of everything leaves the head and the latent's projections INT8")
    func sensitiveMatrices() throws {
        let checkpoint = try Checkpoint(folder: Fixture("v2-lite").model)
        let report = try HeldReport(checkpoint, held: HeldDTypes(dense: .int4), team: ThreadTeam(threads: 1))
        #expect(report.groups.filter { $0.role == "head" }.map(\.dtype) == ["int8"])
        #expect(Set(report.groups.filter { $0.role == "attention" }.map(\.dtype)) == ["int4", "int8"])
    }
}
