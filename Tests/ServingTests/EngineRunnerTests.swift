import Foundation
import Serving
import TestSupport
import Testing

@Suite("An engine runner") struct EngineRunnerTests {
    private let model: EngineHarness
    private let prompts: [Reference.Prompt]

    init() throws {
        let fixture = Fixture("tiny-r1-fp8")
        model = try EngineHarness(fixture, compute: .f32, threads: 1)
        prompts = try fixture.reference().prompts
    }

    private static let ample = EngineRunner.Limits(running: 8, waiting: 64, wait: .seconds(60))

    private func request(_ index: Int, tokens: Int = 16) -> GenerationRequest {
        let prompt = prompts[index % prompts.count].ids
        let sampling =
            index % 2 == 0
            ? SamplingParameters.greedy : SamplingParameters(temperature: 0.8, topK: 40, seed: UInt64(index))
        return GenerationRequest(promptIDs: prompt, maximumTokens: tokens, sampling: sampling, topCount: 3)
    }

    private func stepsAlone(_ request: GenerationRequest) throws -> [TokenStep] { try model.run([request])[0].steps }

    /// Runs `body` beside the runner, and stops the runner after it.
    private func serving(_ runner: EngineRunner, _ body: () async throws -> Void) async throws {
        async let end: Void = runner.run()
        do {
            try await body()
        } catch {
            runner.stop(by: .now)
            await end
            throw error
        }
        runner.stop(by: .now)
        await end
    }

    private func steps(_ generation: Generation) async throws -> [TokenStep] {
        var steps: [TokenStep] = []
        for try await event in generation.events {
            if case .token(let step, _) = event { steps.append(step) }
        }
        return steps
    }

    private func error(_ generation: Generation) async -> RunnerError? {
        do {
            _ = try await steps(generation)
            return nil
        } catch {
            return error as? RunnerError
        }
    }

    /// Makes steps so slow that a long request outlasts whatever keeps the test from going on.
    private final class Pause: Interlude, Sendable {
        private let nap = Nap()

        var obstacle: String? { nil }

        func betweenSteps() { Thread.sleep(forTimeInterval: 0.01) }
        func rest(until deadline: ContinuousClock.Instant) { nap.rest(until: deadline) }
        func wake() { nap.wake() }
    }

    @Test("gives each of many requests the tokens and log-probabilities that it gets alone")
    func determinism() async throws {
        let requests = (0..<12).map { request($0) }
        let alone = try requests.map(stepsAlone)
        let runner = EngineRunner(
            engine: try model.engine(prefillChunk: 48, cachePositions: 1024),
            limits: .init(running: 4, waiting: 64, wait: .seconds(60)))
        try await serving(runner) {
            let generations = try requests.map(runner.submit)
            for (generation, expected) in zip(generations, alone) { #expect(try await steps(generation) == expected) }
        }
    }

    @Test("gives the reference implementation's greedy tokens")
    func reference() async throws {
        let runner = EngineRunner(engine: try model.engine(), limits: Self.ample)
        try await serving(runner) {
            let generations = try prompts.map {
                try runner.submit(GenerationRequest(promptIDs: $0.ids, maximumTokens: $0.greedy.ids.count))
            }
            for (generation, prompt) in zip(generations, prompts) {
                #expect(try await steps(generation).map(\.id) == prompt.greedy.ids, "\(prompt.name)")
            }
        }
    }

    @Test("gives up one request and leaves the others as they are")
    func cancel() async throws {
        let expected = try stepsAlone(request(1))
        let runner = EngineRunner(
            engine: try model.engine(), limits: .init(running: 2, waiting: 64, wait: .seconds(60)), interlude: Pause())
        try await serving(runner) {
            let long = try runner.submit(request(0, tokens: 3000))
            let other = try runner.submit(request(1))
            let waiting = try runner.submit(request(2, tokens: 3000))
            var events = long.events.makeAsyncIterator()
            _ = try await events.next()
            waiting.cancel()
            long.cancel()
            await #expect(throws: RunnerError.cancelled) { while try await events.next() != nil {} }
            #expect(await error(waiting) == .cancelled)
            #expect(try await steps(other) == expected)
            #expect(try await steps(runner.submit(request(1))) == expected)
        }
        #expect(runner.load.freePositions == runner.load.positions)
    }

    @Test("gives a request up when nobody listens any more")
    func dropped() async throws {
        let runner = EngineRunner(engine: try model.engine(), limits: Self.ample, interlude: Pause())
        try await serving(runner) {
            do {
                let generation = try runner.submit(request(0, tokens: 3000))
                for try await _ in generation.events { break }
            }
            while runner.load.running > 0 { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    @Test("refuses what exceeds the queue, and what can never be served")
    func refusals() throws {
        let runner = EngineRunner(engine: try model.engine(), limits: .init(running: 1, waiting: 1, wait: .seconds(60)))
        let waiting = try runner.submit(request(0))
        #expect(throws: RunnerError.queueFull(limit: 1)) { try runner.submit(request(0)) }
        #expect(throws: RequestError.self) { try runner.submit(request(0, tokens: 5000)) }
        waiting.cancel()
        runner.stop(by: .now)
        #expect(throws: RunnerError.stopping) { try runner.submit(request(0)) }
    }

    @Test("lets a request wait no longer than the limit")
    func overdue() async throws {
        let runner = EngineRunner(
            engine: try model.engine(), limits: .init(running: 1, waiting: 8, wait: .milliseconds(1)),
            interlude: Pause())
        try await serving(runner) {
            let running = try runner.submit(request(0, tokens: 3000))
            var events = running.events.makeAsyncIterator()
            _ = try await events.next()
            #expect(await error(try runner.submit(request(1))) == .waitedTooLong(.milliseconds(1)))
        }
    }

    @Test("finishes what runs and what waits when it is stopped with time")
    func drain() async throws {
        let expected = try [0, 1].map { try stepsAlone(request($0)) }
        let runner = EngineRunner(
            engine: try model.engine(), limits: .init(running: 1, waiting: 8, wait: .seconds(60)))
        let generations = try [0, 1].map { try runner.submit(request($0)) }
        runner.stop(by: .now + .seconds(60))
        await runner.run()
        for (generation, expected) in zip(generations, expected) { #expect(try await steps(generation) == expected) }
        #expect(throws: RunnerError.stopping) { try runner.submit(request(0)) }
    }

    @Test("fails what runs and what waits when it is stopped without time")
    func stop() async throws {
        let runner = EngineRunner(
            engine: try model.engine(), limits: .init(running: 1, waiting: 8, wait: .seconds(60)), interlude: Pause())
        async let end: Void = runner.run()
        let generations = try [0, 1].map { try runner.submit(request($0, tokens: 3000)) }
        runner.stop(by: .now + .milliseconds(20))
        await end
        for generation in generations { #expect(await error(generation) == .stopping) }
    }

    @Test("fails all that runs when the engine fails, and goes on")
    func failure() async throws {
        let expected = try stepsAlone(request(1))
        let fuse = FragileExperts.Fuse()
        let runner = EngineRunner(
            engine: try model.engine { FragileExperts($0, fuse: fuse) }, limits: Self.ample)
        try await serving(runner) {
            // After they began, and long before they would end.
            fuse.light(after: 100)
            let running = try [0, 1].map { try runner.submit(request($0, tokens: 3000)) }
            for generation in running { #expect(await error(generation) == .engine("the experts broke")) }
            #expect(runner.load.failure == "the experts broke")
            fuse.light(after: -1)
            #expect(try await steps(runner.submit(request(1))) == expected)
            #expect(runner.load.failure == nil)
        }
        #expect(runner.load.freePositions == runner.load.positions)
    }

    @Test("says what stands in the way of requests, until it is gone")
    func obstacle() async throws {
        let expected = try stepsAlone(request(1))
        let fuse = FragileExperts.Fuse()
        let obstruction = Obstruction()
        let runner = EngineRunner(
            engine: try model.engine { FragileExperts($0, fuse: fuse) }, limits: Self.ample, interlude: obstruction)
        try await serving(runner) {
            // Before the generation is over, and long after the next line.
            fuse.light(after: 1000)
            let running = try runner.submit(request(0, tokens: 3000))
            obstruction.obstacle = "the way is barred"
            #expect(await error(running) == .unavailable("the way is barred"))
            while runner.load.obstacle == nil { try await Task.sleep(for: .milliseconds(1)) }
            #expect(runner.load.failure == nil)
            #expect(throws: RunnerError.unavailable("the way is barred")) { try runner.submit(request(1)) }
            fuse.light(after: -1)
            obstruction.obstacle = nil
            while runner.load.obstacle != nil { try await Task.sleep(for: .milliseconds(1)) }
            #expect(runner.load.failure == nil)
            #expect(try await steps(runner.submit(request(1))) == expected)
        }
    }
}
