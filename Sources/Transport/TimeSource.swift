package import Wire

/// The time that waits are held against: the system's, or one that a simulation sets.
package protocol TimeSource: AnyObject, Sendable {
    func now() -> Instant
}
