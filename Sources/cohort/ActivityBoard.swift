internal import HTTPAPI
internal import Synchronization

/// Copies what the workers did from the engine's thread to where the metrics are read.
final class ActivityBoard {
    let counters = SharedCounters()
    private let deployment: Deployment

    init(_ deployment: Deployment) {
        self.deployment = deployment
        update()
    }

    /// On the engine's thread.
    func update() {
        counters.values = deployment.activity.map { worker in
            WorkerCounters(
                name: worker.name, rows: worker.rowCount, pairs: worker.pairCount, bytesOut: worker.bytesOut,
                bytesIn: worker.bytesIn, busyMicroseconds: worker.busyMicroseconds)
        }
    }
}

/// The latest counters; for any thread.
final class SharedCounters: Sendable {
    private let state = Mutex<[WorkerCounters]>([])

    var values: [WorkerCounters] {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}
