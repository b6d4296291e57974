import Cluster
import Testing

@Suite struct MovedBytesTests {
    @Test("what a drain moves is counted slot by slot as it is filled")
    func drain() throws {
        let placement = try Placement.uniform(
            layers: [3], experts: 6, parallelism: Parallelism(tensor: 1, pipeline: 1, workers: 2),
            workerWeights: [1, 1])
        let members = (0..<2).map {
            Member(name: "w\($0)", index: $0, stage: 0, state: .ready, offer: Member.Offer(slots: 6))
        }
        var control = ControlPlane(
            placement: placement, members: members, sliceBytes: [100],
            statistics: LoadStatistics(layers: [3], experts: 6))
        var fills: [Int] = []
        for action in control.handle(.command(.drain(name: "w1"), ticket: 1), at: .zero) {
            guard case .plan(let revision, let request, let policy, let input) = action else { continue }
            for next in control.handle(.planned(revision: revision, policy.rearrange(request, input)), at: .zero) {
                if case .fill(let number, _) = next { fills.append(number) }
            }
        }
        #expect(fills.count == 3 && control.totals.movedBytes == 0)
        for (index, number) in fills.enumerated() {
            _ = control.handle(.filled(number), at: .zero)
            #expect(control.totals.movedBytes == (index + 1) * 100)
        }
        _ = control.handle(.filled(fills[0]), at: .zero)
        #expect(control.totals.movedBytes == 300, "a report that comes twice counts once")
    }
}
