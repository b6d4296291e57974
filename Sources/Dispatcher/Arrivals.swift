internal import Synchronization

/// Workers that the door has let in and the step has not taken yet; for any thread.
package final class Arrivals: Sendable {
    private let workers = Mutex<[ReadyWorker]>([])
    private let count = Atomic(0)
    private let wake: @Sendable () -> Void

    /// - Parameter wake: makes the step's thread look here.
    package init(wake: @escaping @Sendable () -> Void) {
        self.wake = wake
    }

    package func add(_ worker: ReadyWorker) {
        workers.withLock { $0.append(worker) }
        count.wrappingAdd(1, ordering: .releasing)
        wake()
    }

    /// Costs one load where nobody has come.
    func take() -> [ReadyWorker] {
        guard count.load(ordering: .acquiring) > 0 else { return [] }
        return workers.withLock { workers in
            defer { workers.removeAll() }
            count.wrappingSubtract(workers.count, ordering: .relaxed)
            return workers
        }
    }
}
