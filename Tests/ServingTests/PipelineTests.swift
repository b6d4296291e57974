import Experts
import Serving
import TestSupport
import Testing

@Suite("Two passes in a stage") struct PipelineTests {
    /// Experts in this process that take two passes at once, as workers on their own processors do.
    private final class TwoPasses: RoutedExperts {
        private let experts: any RoutedExperts
        private var outCount = 0
        /// The most flights that were out at once.
        private(set) var mostOut = 0

        init(_ experts: any RoutedExperts) {
            self.experts = experts
        }

        var stageCount: Int { 1 }

        var passesPerStage: Int { 2 }

        func stage(of layer: Int) -> Int { 0 }

        func dispatch(_ hidden: UnsafePointer<Float>, to routing: Routing, layer: Int) throws -> Flight {
            let flight = try experts.dispatch(hidden, to: routing, layer: layer)
            outCount += 1
            mostOut = max(mostOut, outCount)
            return flight
        }

        func combine(
            _ flight: Flight, beside work: (any FeedForwardLoops)?, into output: UnsafeMutablePointer<Float>
        ) throws {
            try experts.combine(flight, beside: work, into: output)
            outCount -= 1
        }

        func abandon() {
            experts.abandon()
            outCount = 0
        }
    }

    @Test("a prompt's consecutive chunks overlap, and everything comes out as alone", arguments: [3, 5, 8])
    func overlap(chunk: Int) throws {
        let fixture = Fixture("tiny-r1-fp8")
        let harness = try EngineHarness(fixture, compute: .f32, threads: 1)
        let requests = try fixture.reference().prompts.map {
            GenerationRequest(promptIDs: $0.ids, maximumTokens: 6, keeps: [.routing, .logits, .prediction])
        }
        var experts: TwoPasses?
        let engine = try harness.engine(prefillChunk: chunk) { inner in
            let outer = TwoPasses(inner)
            experts = outer
            return outer
        }
        let sequences = try requests.map { try engine.submit($0) }
        while engine.hasWork { _ = try engine.step() }
        for (sequence, request) in zip(sequences, requests) {
            let alone = try harness.run([request])[0]
            #expect(sequence.steps == alone.steps)
            #expect(sequence.record.logits == alone.record.logits)
            #expect(sequence.record.predictionLogits == alone.record.predictionLogits)
            for (layer, routing) in alone.record.routing {
                #expect(sequence.record.routing[layer]?.experts == routing.experts)
            }
        }
        #expect(experts?.mostOut == 2)
    }

    @Test("decoding alone is never split: each expert's weights would be read twice")
    func decoding() throws {
        let harness = try EngineHarness(Fixture("tiny-r1-fp8"), compute: .f32, threads: 1)
        var experts: TwoPasses?
        let engine = try harness.engine(prefillChunk: 8) { inner in
            let outer = TwoPasses(inner)
            experts = outer
            return outer
        }
        for index in 1...3 { _ = try engine.submit(GenerationRequest(promptIDs: [index], maximumTokens: 6)) }
        while engine.hasWork { _ = try engine.step() }
        #expect(experts?.mostOut == 1)
    }

    @Test("an error with two passes under way leaves an engine that serves the next request", arguments: [1, 2, 3, 5])
    func breaks(dispatches: Int) throws {
        let fixture = Fixture("tiny-r1-fp8")
        let harness = try EngineHarness(fixture, compute: .f32, threads: 1)
        let fuse = FragileExperts.Fuse()
        let engine = try harness.engine(prefillChunk: 3) { TwoPasses(FragileExperts($0, fuse: fuse)) }
        let request = GenerationRequest(
            promptIDs: try fixture.reference().prompts.map(\.ids).max { $0.count < $1.count } ?? [1],
            maximumTokens: 4)
        _ = try engine.submit(request)
        fuse.light(after: dispatches)
        #expect(throws: FragileExperts.Broken.self) { while engine.hasWork { _ = try engine.step() } }
        engine.abandon()
        fuse.light(after: -1)
        let sequence = try engine.submit(request)
        while engine.hasWork { _ = try engine.step() }
        #expect(sequence.steps == (try harness.run([request])[0].steps))
    }
}
