internal import Hummingbird

/// Answers every error in the one shape that clients read.
struct ErrorMiddleware: RouterMiddleware {
    typealias Context = APIContext

    func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as HTTPError where error.status == .notFound {
            throw APIError.unknownPath(request.method.rawValue, request.uri.path)
        } catch {
            throw APIError(error)
        }
    }
}
