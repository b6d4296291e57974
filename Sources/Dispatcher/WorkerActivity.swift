internal import Cluster
internal import Transport
internal import Wire

/// What a worker has done, counted by the coordinator.
package struct WorkerActivity: Sendable {
    package let name: String
    package let peer: String
    /// What it held when it came.
    package let slotCount: Int
    package let weightBytes: Int
    package let residentBytes: Int
    /// Rows sent to it.
    package private(set) var rowCount = 0
    /// (row, expert, rank) pairs sent to it.
    package private(set) var pairCount = 0
    package private(set) var bytesOut = 0
    package private(set) var bytesIn = 0
    package private(set) var busyMicroseconds = 0
    /// Answers that came, and how long they were under way without being computed.
    package private(set) var answerCount = 0
    package private(set) var waitMicroseconds = 0

    init(_ worker: ReadyWorker) {
        name = worker.seat.name
        peer = worker.link.peer
        slotCount = worker.report.expertSlots
        weightBytes = worker.report.loadedBytes
        residentBytes = worker.report.residentBytes
    }

    mutating func noteDispatch(_ header: FrameHeader) {
        rowCount += Int(header.rowCount)
        pairCount += Int(header.pairCount)
        bytesOut += FrameHeader.byteCount + Int(header.payloadLength)
    }

    /// - Parameter nanoseconds: since the question was sent.
    /// - Returns: what the worker did for it.
    mutating func noteCombine(_ header: FrameHeader, nanoseconds: UInt64, pairs: Int) -> WorkerLoad {
        let busy = Int(header.elapsedMicroseconds)
        let wait = max(0, Int(nanoseconds / 1000) - busy)
        let byteCount = FrameHeader.byteCount + Int(header.payloadLength)
        bytesIn += byteCount
        busyMicroseconds += busy
        waitMicroseconds += wait
        answerCount += 1
        return WorkerLoad(
            tokens: Double(pairs), busySeconds: Double(busy) / 1e6, waitSeconds: Double(wait) / 1e6,
            bytes: Double(byteCount))
    }

    /// The same worker has come back.
    mutating func goOn(from earlier: WorkerActivity) {
        rowCount = earlier.rowCount
        pairCount = earlier.pairCount
        bytesOut = earlier.bytesOut
        bytesIn = earlier.bytesIn
        busyMicroseconds = earlier.busyMicroseconds
        answerCount = earlier.answerCount
        waitMicroseconds = earlier.waitMicroseconds
    }
}
