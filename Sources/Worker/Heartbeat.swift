internal import Foundation
internal import Transport
internal import Wire

/// Says once a second on a link that the process lives, whatever the step's thread is at, and closes the link when the
/// peer's host has not been there for some seconds: the system itself would wait for half a minute. Ends with its last
/// reference.
final class Heartbeat {
    private let state = State()

    /// Shared with the thread.
    private final class State: Sendable {
        private let condition = NSCondition()
        private nonisolated(unsafe) var isOver = false

        /// - Returns: false once the heartbeat is over.
        func wait(for seconds: Double) -> Bool {
            condition.lock()
            defer { condition.unlock() }
            if !isOver { _ = condition.wait(until: Date() + seconds) }
            return !isOver
        }

        func end() {
            condition.lock()
            isOver = true
            condition.broadcast()
            condition.unlock()
        }
    }

    init(on link: any Link) {
        Thread.detachNewThread { [state] in
            // Beats in a row: after a stop of this process itself one look says nothing.
            var missed = 0
            // A peer that takes nothing for the while is no reason to stop; a closed link is one for the step's thread.
            while state.wait(for: Self.interval), link.closeReason == nil {
                let isMissed = (link as? TCPLink)?.isUnacknowledged(for: .seconds(Self.interval)) ?? false
                missed = isMissed ? missed + 1 : 0
                guard missed < Self.missedLimit else {
                    return link.close(.local("its host has acknowledged nothing for \(missed) seconds"))
                }
                try? link.send(.heartbeat)
            }
        }
    }

    deinit { state.end() }

    private static let interval = 1.0
    /// As long as a coordinator waits for a sign of life.
    private static let missedLimit = 5
}
