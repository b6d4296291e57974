/// Why the bytes at a frame's start are no header that this side accepts.
package enum FrameError: Error, Equatable, CustomStringConvertible {
    case truncated(byteCount: Int)
    case badMagic(UInt32)
    case unknownVersion(UInt16)
    case unknownKind(UInt8)
    case unknownDType(UInt8)
    case outsideMemory(location: UInt32, byteCount: UInt64)
    case tooLong(byteCount: UInt64, limit: Int)

    package var description: String {
        switch self {
        case .truncated(let count):
            "a frame header needs \(FrameHeader.byteCount) bytes and has \(count)"
        case .badMagic(let magic):
            "0x\(String(magic, radix: 16)) is not how a frame begins; is the peer a cohort process?"
        case .unknownVersion(let version):
            "wire version \(version) is not \(FrameHeader.version); run the same release on all hosts"
        case .unknownKind(let kind):
            "\(kind) is no kind of frame; run the same release on all hosts"
        case .unknownDType(let dtype):
            "\(dtype) is no dtype on the wire; run the same release on all hosts"
        case .outsideMemory(let location, let count):
            "a payload of \(count) bytes at location \(location) is not in memory that is shared with this peer; "
                + "run the same release on all hosts"
        case .tooLong(let count, let limit):
            "a payload of \(count) bytes is over the limit of \(limit) bytes for this peer"
        }
    }
}
