/// Why the two sides of a connection did not come to trust each other.
package enum HandshakeError: Error, Equatable, CustomStringConvertible {
    case wrongSecret
    case wrongVersion(Int)
    case unexpected(FrameKind, expected: FrameKind)
    case nameChanged(from: String, to: String)
    case emptyName
    case timedOut
    /// The other side gave up, and said why.
    case refused(String)

    package var description: String {
        switch self {
        case .wrongSecret:
            "the peer does not know the cluster secret; give both sides the same --secret-file"
        case .wrongVersion(let version):
            "the peer speaks protocol \(version) and this side \(HandshakeTranscript.protocolVersion);"
                + " run the same release on all hosts"
        case .unexpected(let kind, let expected):
            "a \(kind) frame came where \(expected) was due; is the peer a cohort process of this release?"
        case .nameChanged(let old, let new):
            "the worker said hello as '\(old)' and proved itself as '\(new)'"
        case .emptyName:
            "the worker has no name; give it one with --name"
        case .timedOut:
            "the handshake was not completed in time; is the peer a cohort process, and is the network up?"
        case .refused(let message):
            "the peer refused: \(message)"
        }
    }
}
