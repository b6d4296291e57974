internal import Cluster
internal import Foundation
package import Hummingbird
internal import Serving
internal import Tokenization

/// A refusal in the shape that OpenAI's clients read.
package struct APIError: Error, Equatable, HTTPResponseError {
    package let status: HTTPResponse.Status
    let type: String
    let code: String?
    /// The field of the request that is wrong.
    let parameter: String?
    package let message: String
    var retryAfterSeconds: Int?

    package func response(from request: Request, context: some RequestContext) -> Response {
        var headers: HTTPFields = [.contentType: "application/json"]
        if let retryAfterSeconds { headers[.retryAfter] = "\(retryAfterSeconds)" }
        if status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
        return Response(
            status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: JSONText.encode(body))))
    }

    /// What is sent, as a response or inside a stream.
    var body: Body {
        Body(error: .init(message: message, type: type, parameter: parameter, code: code))
    }

    struct Body: Encodable {
        struct Fields: Encodable {
            let message: String
            let type: String
            let parameter: String?
            let code: String?

            enum CodingKeys: String, CodingKey {
                case message, type, code
                case parameter = "param"
            }

            /// Absent fields stand as null.
            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(message, forKey: .message)
                try container.encode(type, forKey: .type)
                try container.encode(parameter, forKey: .parameter)
                try container.encode(code, forKey: .code)
            }
        }

        let error: Fields
    }
}

extension APIError {
    static func invalid(_ message: String, parameter: String? = nil, code: String? = nil) -> APIError {
        APIError(
            status: .badRequest, type: "invalid_request_error", code: code, parameter: parameter, message: message)
    }

    static func unknownModel(_ name: String, known: String) -> APIError {
        APIError(
            status: .notFound, type: "invalid_request_error", code: "model_not_found", parameter: "model",
            message: "the model \"\(name)\" is not served here: ask for \"\(known)\"")
    }

    static func tooLarge(limit: Int) -> APIError {
        APIError(
            status: .contentTooLarge, type: "invalid_request_error", code: nil, parameter: nil,
            message: "the request is larger than \(limit) bytes: send a shorter prompt")
    }

    static let unauthorized = APIError(
        status: .unauthorized, type: "invalid_request_error", code: "invalid_api_key", parameter: nil,
        message: "the API key is missing or wrong: send it as \"Authorization: Bearer KEY\"")

    static let wrongAdminKey = APIError(
        status: .unauthorized, type: "invalid_request_error", code: "invalid_api_key", parameter: nil,
        message: "the admin key is missing or wrong: send it as \"Authorization: Bearer KEY\"")

    static let noCluster = APIError(
        status: .notFound, type: "invalid_request_error", code: "no_cluster", parameter: nil,
        message:
            "this server computes every expert itself, so it has no cluster: serve with --local N or --cluster FILE")

    static func refused(_ error: MembershipError) -> APIError {
        let isUnknown = if case .unknown = error { true } else { false }
        return APIError(
            status: isUnknown ? .notFound : .conflict, type: "invalid_request_error",
            code: isUnknown ? "unknown_worker" : "refused", parameter: nil, message: error.description)
    }

    static let changing = APIError(
        status: .serviceUnavailable, type: "service_unavailable", code: nil, parameter: nil,
        message: "the placement is changing or has gaps: try again when no migration is under way", retryAfterSeconds: 1
    )

    static let tooSlow = APIError(
        status: .requestTimeout, type: "invalid_request_error", code: nil, parameter: nil,
        message: "the request did not arrive in time: send it again")

    static func unknownPath(_ method: String, _ path: String) -> APIError {
        APIError(
            status: .notFound, type: "invalid_request_error", code: "unknown_url", parameter: nil,
            message: """
                there is no \(method) \(path): see POST /v1/completions, GET /v1/models, /health, /metrics and \
                /admin/status
                """)
    }

    private static func unavailable(
        _ status: HTTPResponse.Status, _ type: String, code: String?, _ message: String
    ) -> APIError {
        APIError(status: status, type: type, code: code, parameter: nil, message: message, retryAfterSeconds: 1)
    }

    /// What a client is told of any error.
    init(_ error: any Error) {
        self =
            switch error {
            case let error as APIError: error
            case let error as RequestError: .invalid(error)
            case let error as RunnerError: .failed(error)
            case let error as TokenizerError: .invalid(error.description, parameter: "prompt")
            case let error as HTTPError:
                APIError(
                    status: error.status, type: "invalid_request_error", code: nil, parameter: nil,
                    message: error.body ?? error.status.reasonPhrase)
            default:
                APIError(
                    status: .internalServerError, type: "server_error", code: nil, parameter: nil,
                    message: "the server failed: \(error)")
            }
    }

    private static func invalid(_ error: RequestError) -> APIError {
        switch error {
        case .emptyPrompt, .tokenOutsideVocabulary: .invalid(error.description, parameter: "prompt")
        case .noTokensAsked: .invalid(error.description, parameter: "max_tokens")
        case .tooLong: .invalid(error.description, parameter: "prompt", code: "context_length_exceeded")
        case .tooManyTop: .invalid(error.description, parameter: "logprobs")
        case .sampling: .invalid(error.description)
        }
    }

    private static func failed(_ error: RunnerError) -> APIError {
        switch error {
        case .queueFull:
            unavailable(.tooManyRequests, "rate_limit_exceeded", code: "queue_full", error.description)
        case .waitedTooLong, .stopping, .cancelled, .unavailable:
            unavailable(.serviceUnavailable, "service_unavailable", code: nil, error.description)
        case .generation:
            APIError(
                status: .internalServerError, type: "server_error", code: "not_finite", parameter: nil,
                message: error.description)
        case .engine:
            unavailable(.serviceUnavailable, "server_error", code: "engine_failed", error.description)
        }
    }
}
