internal import ArgumentParser
internal import Cluster

/// Bytes per second on the command line, with a unit.
struct TransferRate: ExpressibleByArgument {
    let bytesPerSecond: Double

    init?(argument: String) {
        guard let rate = try? Quantity.bytesPerSecond(argument), rate > 0 else { return nil }
        bytesPerSecond = rate
    }
}
