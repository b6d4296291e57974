internal import Foundation
internal import Hummingbird
internal import Serving

/// POST /v1/completions.
struct CompletionHandler: Sendable {
    let model: ServedModel
    let runner: EngineRunner
    let metrics: RequestMetrics
    let limits: APIServer.Limits

    func respond(_ request: Request, _ context: APIContext) async throws -> Response {
        let body: (request: Request, bytes: [UInt8])
        let completion: CompletionRequest
        let run: CompletionRun
        do {
            body = try await read(request)
            completion = try CompletionRequest(body.bytes, for: model)
            run = CompletionRun(completion, try runner.submit(completion.generation), model: model, metrics: metrics)
        } catch {
            metrics.noteEnd(.refused)
            throw error
        }
        return completion.isStreamed
            ? stream(run, body.request, context) : try await collect(run, body.request, context)
    }

    /// The request's body, and the request as it is afterwards.
    private func read(_ request: Request) async throws -> (request: Request, bytes: [UInt8]) {
        try await withThrowingTaskGroup { group in
            group.addTask {
                var request = request
                do {
                    let buffer = try await request.collectBody(upTo: model.maximumBodyBytes)
                    return (request, Array(buffer.readableBytesView))
                } catch let error as any HTTPResponseError where error.status == .contentTooLarge {
                    throw APIError.tooLarge(limit: model.maximumBodyBytes)
                }
            }
            group.addTask {
                try await Task.sleep(for: limits.body)
                throw APIError.tooSlow
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw APIError.tooSlow }
            return first
        }
    }

    /// One object when all is done. Gives the generation up when the client goes.
    private func collect(_ run: CompletionRun, _ request: Request, _ context: APIContext) async throws -> Response {
        let object = try await request.body.consumeWithInboundCloseHandler { _ in
            try await run.collect()
        } onInboundClosed: {
            run.generation.cancel()
        }
        let json = JSONText.encode(object)
        let watch = StallWatch(limit: limits.write)
        return Response(
            status: .ok, headers: [.contentType: "application/json", .connection: "close"],
            body: ResponseBody(contentLength: json.count) { writer in
                try await watch.run(close: context.closeConnection) {
                    try await watch.write { try await writer.write(ByteBuffer(bytes: json)) }
                }
                try await writer.finish(nil)
            })
    }

    /// Chunks as they come, as server-sent events.
    private func stream(_ run: CompletionRun, _ request: Request, _ context: APIContext) -> Response {
        let watch = StallWatch(limit: limits.write)
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream", .cacheControl: "no-cache", .connection: "close"],
            body: ResponseBody { writer in
                try await request.body.consumeWithInboundCloseHandler { _ in
                    try await watch.run(close: context.closeConnection) {
                        try await run.stream { bytes in
                            try await watch.write { try await writer.write(ByteBuffer(bytes: bytes)) }
                        }
                    }
                    try await writer.finish(nil)
                } onInboundClosed: {
                    run.generation.cancel()
                }
            })
    }
}
