package import Cluster

/// Workers are gone, and nobody left can hold their experts.
package struct ExpertsLost: Error, CustomStringConvertible {
    package let losses: [WorkerLoss]
    package let missing: [Slot]
    package let waited: Duration

    package var description: String {
        let workers = losses.map(\.description).joined(separator: ", ")
        let layers = Set(missing.map(\.layer)).count
        return "\(workers); \(missing.count) experts' slots in \(layers) layers have no holder, no other worker could "
            + "take them within \(waited): start the worker again, or give the others more memory"
    }
}
