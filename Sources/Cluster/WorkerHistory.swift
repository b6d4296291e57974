/// A worker's load in each of the windows of some statistics.
package struct WorkerHistory: Sendable, Equatable {
    /// [windows], weighted.
    package private(set) var windows: [WorkerLoad]
    /// Since the last fold.
    var fresh = WorkerLoad()

    init(windows: Int) {
        self.windows = Array(repeating: WorkerLoad(), count: windows)
    }

    init(windows: [WorkerLoad]) {
        self.windows = windows
    }

    mutating func fold(window: Int, kept: Double) { windows[window].add(fresh, keeping: kept) }

    mutating func add(_ other: WorkerHistory) {
        for window in windows.indices { windows[window].add(other.windows[window]) }
        fresh.add(other.fresh)
    }
}
