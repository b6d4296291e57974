package import Serving
internal import ServiceLifecycle

/// Keeps an engine running until it is this service's turn to stop.
package struct EngineService: Service {
    private let runner: EngineRunner

    package init(_ runner: EngineRunner) {
        self.runner = runner
    }

    package func run() async throws {
        await withGracefulShutdownHandler {
            await runner.run()
        } onGracefulShutdown: {
            runner.stop(by: .now)
        }
        // Whoever told the runner to stop before still needs this service to be there.
        try? await gracefulShutdown()
    }
}
