/// What a connection is for. A proof for one purpose is worth nothing for the other: who listens for workers that fetch
/// experts does not thereby pass for the coordinator.
package enum HandshakePurpose: String, Sendable {
    /// A worker joins its coordinator.
    case join = "handshake"
    /// A worker fetches experts from another.
    case transfer
}
