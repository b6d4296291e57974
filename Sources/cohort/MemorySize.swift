internal import ArgumentParser
internal import Cluster

/// A number of bytes on the command line: plain, or with a unit.
struct MemorySize: ExpressibleByArgument {
    let byteCount: Int

    init?(argument: String) {
        if let bytes = Int(argument), bytes > 0 {
            byteCount = bytes
        } else if let bytes = try? Quantity.bytes(argument) {
            byteCount = bytes
        } else {
            return nil
        }
    }
}
