/// What one worker has done since the start.
package struct WorkerCounters: Sendable {
    package let name: String
    package let rows: Int
    package let pairs: Int
    /// Sent to it.
    package let bytesOut: Int
    /// Received from it.
    package let bytesIn: Int
    package let busyMicroseconds: Int

    package init(name: String, rows: Int, pairs: Int, bytesOut: Int, bytesIn: Int, busyMicroseconds: Int) {
        self.name = name
        self.rows = rows
        self.pairs = pairs
        self.bytesOut = bytesOut
        self.bytesIn = bytesIn
        self.busyMicroseconds = busyMicroseconds
    }
}
