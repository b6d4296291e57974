internal import Hummingbird

/// Lets through who shows the key.
struct APIKeyMiddleware: RouterMiddleware {
    typealias Context = APIContext

    let key: APIKey
    /// What others are told.
    let refusal: APIError

    func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard key.isShown(by: request.headers[.authorization]) else { throw refusal }
        return try await next(request, context)
    }
}
