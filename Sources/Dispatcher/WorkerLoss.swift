/// A worker that is done without, and why, as errors name it.
package struct WorkerLoss: Sendable, CustomStringConvertible {
    package let worker: String
    package let peer: String
    package let reason: String

    package var description: String { "worker \(worker) at \(peer) is lost (\(reason))" }
}
