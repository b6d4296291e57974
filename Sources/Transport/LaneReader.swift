internal import Synchronization
internal import Wire

/// The reading end of a lane: finds payloads, and gives their room back in the order in which they came.
final class LaneReader: Sendable {
    private struct State {
        var isHandling = false
        /// Payloads that are to stay.
        var keptCount = 0
        /// Payloads that have been handled and are not given back: those, and what came after the first of them.
        var heldCount: UInt64 = 0
    }

    private nonisolated(unsafe) let lane: SharedLane
    private let state = Mutex(State())

    init(_ lane: SharedLane) {
        self.lane = lane
    }

    /// Tells the writer that it may send payloads this way.
    func open() { lane.open() }

    /// The payload that a header tells of, which is handled from now on; nil where that is not in this memory.
    func begin(_ header: FrameHeader) -> UnsafeRawBufferPointer? {
        guard let payload = lane.payload(of: header) else { return nil }
        state.withLock { $0.isHandling = true }
        return payload
    }

    /// Leaves the payload that is being handled where it is until `release`; false: there is none.
    func keep() -> Bool {
        state.withLock { state in
            if state.isHandling { state.keptCount += 1 }
            return state.isHandling
        }
    }

    /// The payload has been handled.
    func finish() {
        state.withLock { state in
            state.isHandling = false
            state.heldCount += 1
            giveBackUnlessKept(&state)
        }
    }

    /// One payload that was kept is needed no more.
    func release() {
        state.withLock { state in
            state.keptCount -= 1
            giveBackUnlessKept(&state)
        }
    }

    private func giveBackUnlessKept(_ state: inout State) {
        guard state.keptCount == 0 else { return }
        lane.giveBack(state.heldCount)
        state.heldCount = 0
    }
}
