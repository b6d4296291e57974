package import Cluster

/// Workers are gone, and nobody left can hold their experts.
package struct ExpertsLost: Error, CustomStringConvertible {
    package struct Loss: Sendable {
        package let worker: String
        package let peer: String
        package let reason: String
    }

    package let losses: [Loss]
    package let missing: [Slot]
    package let waited: Duration

    package var description: String {
        let workers = losses.map { "worker \($0.worker) at \($0.peer) is lost (\($0.reason))" }.joined(separator: ", ")
        let layers = Set(missing.map(\.layer)).count
        return "\(workers); \(missing.count) experts' slots in \(layers) layers have no holder, no other worker could "
            + "take them within \(waited): start the worker again, or give the others more memory"
    }
}
