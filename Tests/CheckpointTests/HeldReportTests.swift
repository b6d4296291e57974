import Checkpoint
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

    @Test("INT4 of everything leaves the head and the latent's projections INT8")
    func sensitiveMatrices() throws {
        let checkpoint = try Checkpoint(folder: Fixture("v2-lite").model)
        let report = try HeldReport(checkpoint, held: HeldDTypes(dense: .int4), team: ThreadTeam(threads: 1))
        #expect(report.groups.filter { $0.role == "head" }.map(\.dtype) == ["int8"])
        #expect(Set(report.groups.filter { $0.role == "attention" }.map(\.dtype)) == ["int4", "int8"])
    }
}
