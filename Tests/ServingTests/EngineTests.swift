import Experts
import Serving
import TestSupport
import Testing

@Suite("An engine") struct EngineTests {
    /// Experts in this process that count as two pipeline stages, so that two passes are under way at once.
    private final class TwoStages: RoutedExperts {
        private let experts: any RoutedExperts

        init(_ experts: any RoutedExperts) {
            self.experts = experts
        }

        var stageCount: Int { 2 }

        func stage(of layer: Int) -> Int { layer > 1 ? 1 : 0 }

        func dispatch(_ hidden: UnsafePointer<Float>, to routing: Routing, layer: Int) throws -> Flight {
            try experts.dispatch(hidden, to: routing, layer: layer)
        }

        func combine(
            _ flight: Flight, beside work: (any FeedForwardLoops)?, into output: UnsafeMutablePointer<Float>
        ) throws {
            try experts.combine(flight, beside: work, into: output)
        }

        func abandon() { experts.abandon() }
    }

    @Test("emits nothing of a cancelled request, frees its room and leaves the others as they are", arguments: 0..<6)
    func cancel(steps: Int) throws {
        let fixture = Fixture("tiny-r1-fp8")
        let model = try EngineHarness(fixture, compute: .f32, threads: 1)
        let prompts = try fixture.reference().prompts
        let engine = try model.engine(prefillChunk: 16) { TwoStages($0) }
        let positions = engine.freePositions
        let requests = prompts.map { GenerationRequest(promptIDs: $0.ids, maximumTokens: 12) }
        let sequences = try requests.map(engine.submit)
        for _ in 0..<steps { _ = try engine.step() }
        engine.cancel(sequences[0])
        engine.cancel(sequences[4])
        while engine.hasWork {
            #expect(try !engine.step().contains { [0, 4].contains($0.sequence.identifier) })
        }
        for index in 1...3 { #expect(sequences[index].steps == (try model.run([requests[index]])[0].steps)) }
        #expect(sequences[0].state == .cancelled && sequences[4].state == .cancelled)
        #expect(engine.sequenceCount == 0)
        withExtendedLifetime(sequences) { #expect(engine.freePositions < positions) }
    }

    /// Experts whose first answer for the first row is not a number.
    private final class TaintedExperts: RoutedExperts {
        private let experts: any RoutedExperts
        private var isClean = false

        init(_ experts: any RoutedExperts) {
            self.experts = experts
        }

        var stageCount: Int { experts.stageCount }

        func stage(of layer: Int) -> Int { experts.stage(of: layer) }

        func dispatch(_ hidden: UnsafePointer<Float>, to routing: Routing, layer: Int) throws -> Flight {
            try experts.dispatch(hidden, to: routing, layer: layer)
        }

        func combine(
            _ flight: Flight, beside work: (any FeedForwardLoops)?, into output: UnsafeMutablePointer<Float>
        ) throws {
            try experts.combine(flight, beside: work, into: output)
            if !isClean { output[0] = .nan }
            isClean = true
        }

        func abandon() { experts.abandon() }
    }

    @Test("ends a request whose logits are not finite, and leaves the others as they are")
    func notFinite() throws {
        let model = try EngineHarness(Fixture("tiny-r1-fp8"), compute: .fast, threads: 2)
        let requests = [[1], [2]].map { GenerationRequest(promptIDs: $0, maximumTokens: 5) }
        let engine = try model.engine { TaintedExperts($0) }
        let sequences = try requests.map(engine.submit)
        var failures: [GenerationError] = []
        while engine.hasWork {
            for case .failure(let error) in try engine.step().map(\.outcome) { failures.append(error) }
        }
        #expect(failures == [.notFinite(tokens: 1)])
        #expect(sequences[0].state == .failed(.notFinite(tokens: 1)) && sequences[0].steps.isEmpty)
        #expect(sequences[1].steps == (try model.run([requests[1]])[0].steps))
        #expect(engine.sequenceCount == 0)
    }

    @Test("has room again once a cancelled request is let go")
    func room() throws {
        let model = try EngineHarness(Fixture("tiny-r1-fp8"), compute: .f32, threads: 1)
        let engine = try model.engine(prefillChunk: 16, cachePositions: 128) { TwoStages($0) }
        let request = GenerationRequest(promptIDs: [1, 2, 3], maximumTokens: 100)
        do {
            let sequence = try engine.submit(request)
            #expect(!engine.hasRoom(for: request))
            _ = try engine.step()
            engine.cancel(sequence)
        }
        while engine.hasWork { _ = try engine.step() }
        #expect(engine.hasRoom(for: request))
    }
}
