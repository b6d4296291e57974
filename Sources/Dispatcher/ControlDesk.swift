package import Cluster
internal import Synchronization

/// Where other threads meet the cluster: commands and finished plans go in, what it looks like comes out.
package final class ControlDesk: ClusterControl {
    /// What waits for the cluster's thread.
    enum Item: Sendable {
        case command(ClusterCommand, @Sendable (ClusterReply) -> Void)
        case planned(revision: Int, Rearrangement)
    }

    private struct State {
        var items: [Item] = []
        var picture: Picture
        var isClosed = false
    }

    /// The cluster at one instant.
    struct Picture: Sendable {
        let status: ClusterStatus
        let statistics: LoadStatistics
        let placement: Placement
    }

    private let state: Mutex<State>
    private let itemCount = Atomic(0)
    private let wakeUp: @Sendable () -> Void

    /// - Parameter wakeUp: makes the cluster's thread look at what waits here.
    init(_ picture: Picture, wakeUp: @escaping @Sendable () -> Void) {
        state = Mutex(State(picture: picture))
        self.wakeUp = wakeUp
    }

    package var status: ClusterStatus { state.withLock { $0.picture.status } }

    package var statistics: LoadStatistics { state.withLock { $0.picture.statistics } }

    package var placement: Placement { state.withLock { $0.picture.placement } }

    package func perform(_ command: ClusterCommand) async -> ClusterReply {
        await withCheckedContinuation { answer in ask(command) { answer.resume(returning: $0) } }
    }

    /// As `perform`; `answer` is called once, on the cluster's thread or, when that has ended, on this one.
    package func ask(_ command: ClusterCommand, _ answer: @escaping @Sendable (ClusterReply) -> Void) {
        if !post(.command(command, answer)) { answer(.refused(.stopping)) }
    }

    /// Makes the cluster's thread look here; for any thread.
    package func wake() { wakeUp() }

    /// - Returns: false when nobody will look any more.
    @discardableResult
    func post(_ item: Item) -> Bool {
        let isTaken = state.withLock { state in
            guard !state.isClosed else { return false }
            state.items.append(item)
            itemCount.wrappingAdd(1, ordering: .releasing)
            return true
        }
        if isTaken { wakeUp() }
        return isTaken
    }

    /// Costs one load where nothing waits.
    func take() -> [Item] {
        guard itemCount.load(ordering: .acquiring) > 0 else { return [] }
        return state.withLock { state in
            defer { state.items.removeAll() }
            itemCount.wrappingSubtract(state.items.count, ordering: .relaxed)
            return state.items
        }
    }

    func show(_ picture: Picture) { state.withLock { $0.picture = picture } }

    /// Refuses what waits and what will come.
    func close() {
        let items = state.withLock { state in
            defer { state.items.removeAll() }
            state.isClosed = true
            return state.items
        }
        for case .command(_, let answer) in items { answer(.refused(.stopping)) }
    }
}
