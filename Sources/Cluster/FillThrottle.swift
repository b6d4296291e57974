/// Spaces the starts of fills so that they move no more bytes per second than allowed, and no worker gets many at once.
package struct FillThrottle: Sendable, Equatable {
    /// nil: as fast as it goes.
    package let bytesPerSecond: Double?
    /// Fills that one worker works on at a time: enough to keep a disk or a link busy.
    package let maximumPerWorker: Int
    /// When the next fill may start.
    package private(set) var readyAt = Duration.zero

    package init(bytesPerSecond: Double? = nil, maximumPerWorker: Int = 2) {
        precondition(bytesPerSecond.map { $0 > 0 && $0.isFinite } ?? true && maximumPerWorker >= 1)
        self.bytesPerSecond = bytesPerSecond
        self.maximumPerWorker = maximumPerWorker
    }

    /// The longest that a worker may take for a fill of so many bytes: far longer than any disk or link that works.
    static func timeLimit(byteCount: Int) -> Duration {
        leastTimeLimit + .seconds(Double(byteCount) / slowestBytesPerSecond)
    }

    private static let leastTimeLimit = Duration.seconds(60)
    private static let slowestBytesPerSecond = 1e6

    /// - Returns: whether a fill of so many bytes starts now; it is counted if so.
    mutating func start(byteCount: Int, at now: Duration) -> Bool {
        guard let bytesPerSecond else { return true }
        guard now >= readyAt else { return false }
        readyAt = now + .seconds(Double(byteCount) / bytesPerSecond)
        return true
    }
}
