internal import Foundation
internal import Transport
internal import Wire

/// Says once a second on a link that the process lives, whatever the step's thread is at. Ends with its last reference.
final class Heartbeat {
    private let state = State()

    /// Shared with the thread.
    private final class State: @unchecked Sendable {
        private let condition = NSCondition()
        private var isOver = false

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
            // A peer that takes nothing for the while is no reason to stop; a closed link is one for the step's thread.
            while state.wait(for: Self.interval), link.closeReason == nil { try? link.send(.heartbeat) }
        }
    }

    deinit { state.end() }

    private static let interval = 1.0
}
