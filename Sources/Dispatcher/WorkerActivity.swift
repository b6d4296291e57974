internal import Transport
internal import Wire

/// What a worker has done, counted by the coordinator.
package struct WorkerActivity: Sendable {
    package let name: String
    package let peer: String
    package let slotCount: Int
    package let weightBytes: Int
    package let residentBytes: Int
    /// Rows sent to it.
    package private(set) var rowCount = 0
    /// (row, expert, rank) pairs computed by it.
    package private(set) var pairCount = 0
    package private(set) var bytesOut = 0
    package private(set) var bytesIn = 0
    package private(set) var busyMicroseconds = 0

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

    mutating func noteCombine(_ header: FrameHeader) {
        bytesIn += FrameHeader.byteCount + Int(header.payloadLength)
        busyMicroseconds += Int(header.elapsedMicroseconds)
    }
}
