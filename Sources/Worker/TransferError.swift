internal import Cluster
internal import Wire

/// Why experts could not be fetched from another worker, or are not given to one.
enum TransferError: Error, CustomStringConvertible {
    case lost(peer: String, reason: String)
    case silent(peer: String, Duration)
    case refused(peer: String, reason: String)
    /// The two did not come to trust each other.
    case untrusted(peer: String, HandshakeError)
    /// What it sent cannot be read.
    case unreadable(peer: String, ControlError)
    /// It serves as many others as it may.
    case busy(peer: String)
    case unexpected(peer: String, FrameKind)
    case otherShape(peer: String, Slot)
    /// What another worker asks of a slice does not lie in it, or is too much at once.
    case badRead(peer: String, SliceRange, sliceByteCount: Int)
    /// Nobody wants the slots any more.
    case abandoned

    var description: String {
        switch self {
        case .lost(let peer, let reason):
            "the worker at \(peer), which was to give experts, is gone: \(reason); start it again, or copy the "
                + "checkpoint to this host"
        case .silent(let peer, let limit):
            "the worker at \(peer), which was to give experts, says nothing for \(limit); check that its "
                + "process runs and that the network between the workers is up"
        case .refused(let peer, let reason):
            // The worker that refuses knows how to mend it, and says so.
            "the worker at \(peer) gives no experts: \(reason)"
        case .untrusted(let peer, let error): "the worker at \(peer), which was to give experts: \(error)"
        case .unreadable(let peer, let error):
            "the worker at \(peer) sent what cannot be read: \(error); run the same release on all hosts"
        case .busy(let peer): "the worker at \(peer) gives experts to too many others; try again later"
        case .unexpected(let peer, let kind):
            "the worker at \(peer) sent a \(kind) frame that nobody asked for; run the same release on all hosts"
        case .otherShape(let peer, let slot):
            "expert \(slot.expert) of layer \(slot.layer) has another shape at \(peer) than the model has; run the "
                + "same release and the same checkpoint on all hosts"
        case .badRead(let peer, let range, let byteCount):
            "the worker at \(peer) asks for \(range.byteCount) bytes from \(range.offset) on, of a slice of "
                + "\(byteCount), and at most \(WireLimit.chunkPayload) go at once; run the same release on all hosts"
        case .abandoned: "the slots are not wanted any more"
        }
    }
}
