/// What a worker did in some time.
package struct WorkerLoad: Sendable, Hashable, Codable {
    /// (token, expert, rank) pairs computed.
    package var tokens: Double
    package var busySeconds: Double
    /// Time that its dispatches stood in its queue.
    package var waitSeconds: Double
    /// Sent to it and received from it.
    package var bytes: Double

    package init(tokens: Double = 0, busySeconds: Double = 0, waitSeconds: Double = 0, bytes: Double = 0) {
        self.tokens = tokens
        self.busySeconds = busySeconds
        self.waitSeconds = waitSeconds
        self.bytes = bytes
    }

    /// Tokens per busy second; nil before it has done anything.
    package var speed: Double? { tokens > 0 && busySeconds > 0 ? tokens / busySeconds : nil }

    mutating func add(_ other: WorkerLoad, keeping kept: Double = 1) {
        tokens = tokens * kept + other.tokens
        busySeconds = busySeconds * kept + other.busySeconds
        waitSeconds = waitSeconds * kept + other.waitSeconds
        bytes = bytes * kept + other.bytes
    }
}

extension WorkerLoad {
    private enum CodingKeys: String, CodingKey {
        case tokens, busySeconds = "busy_seconds", waitSeconds = "wait_seconds", bytes
    }
}
