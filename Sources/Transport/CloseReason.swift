package import Wire

/// Why a link is closed. The first reason stands.
package enum CloseReason: Sendable, Equatable, CustomStringConvertible {
    /// The peer closed the connection between two frames.
    case peerClosed
    /// The peer closed the connection inside a frame.
    case peerClosedInsideFrame
    /// What came is no frame that this side accepts.
    case badFrame(FrameError)
    /// A frame began and did not end in time.
    case stalled
    case failed(TransportError)
    /// This side closed it.
    case local(String)

    package var description: String {
        switch self {
        case .peerClosed: "the peer closed the connection"
        case .peerClosedInsideFrame: "the peer closed the connection in the middle of a frame"
        case .badFrame(let error): error.description
        case .stalled: "a frame began and did not end in time; the peer hangs or the network is cut"
        case .failed(let error): error.description
        case .local(let reason): reason
        }
    }
}
