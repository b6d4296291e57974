/// Why a control message cannot be read or written. `field` is its name in wire.proto.
package enum ControlError: Error, Equatable, CustomStringConvertible {
    /// The payload is no protobuf message of its kind, or decoding it would take more memory than any real one.
    case malformed(FrameKind)
    case notControl(FrameKind)
    case tooLong(field: String, count: Int, limit: Int)
    case wrongLength(field: String, count: Int, expected: Int)
    case notUTF8(field: String)
    case outOfRange(field: String, value: UInt64)

    package var description: String {
        switch self {
        case .malformed(let kind):
            "the payload of a \(kind) frame cannot be read; run the same release on all hosts"
        case .notControl(let kind):
            "a \(kind) frame came where a control message was due"
        case .tooLong(let field, let count, let limit):
            "\(field) has \(count) items or bytes; at most \(limit) are allowed"
        case .wrongLength(let field, let count, let expected):
            "\(field) has \(count) bytes instead of \(expected)"
        case .notUTF8(let field):
            "\(field) is not UTF-8"
        case .outOfRange(let field, let value):
            "\(field) is \(value), which no release knows"
        }
    }
}
