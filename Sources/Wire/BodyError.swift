/// Why the payload of a tensor frame is not what its header and the session say it is.
package enum BodyError: Error, Equatable, CustomStringConvertible {
    case wrongKind(FrameKind)
    case wrongDType(WireDType, expected: WireDType)
    case wrongLength(byteCount: Int, expected: Int)
    case tooManyRows(Int, limit: Int)
    case wrongPairCount(Int, expected: Int)
    case rowOutOfRange(pair: Int, row: Int, count: Int)
    case expertOutOfRange(pair: Int, expert: Int, count: Int)
    case rankOutOfRange(pair: Int, rank: Int, count: Int)

    package var description: String {
        switch self {
        case .wrongKind(let kind): "a \(kind) frame came where rows were due"
        case .wrongDType(let dtype, let expected): "rows came as \(dtype); \(expected) was agreed on"
        case .wrongLength(let count, let expected): "the payload has \(count) bytes; its counts make \(expected)"
        case .tooManyRows(let count, let limit): "\(count) rows in one dispatch; at most \(limit) were agreed on"
        case .wrongPairCount(let count, let expected): "\(count) answers came for \(expected) pairs"
        case .rowOutOfRange(let pair, let row, let count): "pair \(pair) names row \(row) of \(count)"
        case .expertOutOfRange(let pair, let expert, let count): "pair \(pair) names expert \(expert) of \(count)"
        case .rankOutOfRange(let pair, let rank, let count): "pair \(pair) names rank \(rank) of \(count)"
        }
    }
}
