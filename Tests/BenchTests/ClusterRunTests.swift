import Bench
import Testing

@Suite struct ClusterRunTests {
    private static let trace = RoutingTrace(
        experts: 4, expertsPerToken: 2, layers: [[0, 1, 2, 3, 1, 2, 3, 0, 0, 2], [3, 2, 1, 0, 2, 1, 0, 3, 1, 3]])

    /// A run of two tokens a step, and how often it came between two steps.
    private final class Scene {
        let experts = FakeExperts()
        var pauses = 0
        lazy var run = ClusterRun(
            experts: experts, layers: [5, 6], trace: ClusterRunTests.trace, tokens: 2, hiddenSize: 3
        ) { [unowned self] in pauses += 1 }

        /// So many steps.
        func steps(_ count: Int) -> ClusterRun.Span {
            let end = pauses + count
            return run.run(seconds: 0) { pauses < end }
        }
    }

    @Test("a step sends a batch of the trace through every layer, and after whole batches comes the first again")
    func order() {
        let scene = Scene()
        let span = scene.steps(3)
        #expect(span.stepSeconds.count == 3 && span.failures.isEmpty && span.isExact)
        #expect(scene.experts.asked.map(\.layer) == [5, 6, 5, 6, 5, 6])
        #expect(
            scene.experts.asked.map(\.experts) == [
                [0, 1, 2, 3], [3, 2, 1, 0], [1, 2, 3, 0], [2, 1, 0, 3], [0, 1, 2, 3], [3, 2, 1, 0],
            ])
    }

    @Test("a step that fails is counted, given up, and followed by the next")
    func failure() {
        let scene = Scene()
        scene.experts.failing = 4
        let span = scene.steps(3)
        #expect(span.failures.count == 1 && span.stepSeconds.count == 2 && span.isExact)
        #expect(scene.experts.abandoned == 1 && scene.experts.asked.count == 6)
    }

    @Test("outputs that differ from those of the same batch before are told, also from another span")
    func exactness() {
        let scene = Scene()
        #expect(scene.steps(2).isExact)
        scene.experts.drift = 1e-3
        #expect(!scene.steps(1).isExact)
    }
}
