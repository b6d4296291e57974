internal import Foundation
internal import Serving
internal import Synchronization

/// Stands in the way of an engine's requests for as long as a test says.
package final class Obstruction: Interlude, Sendable {
    private let state = Mutex<String?>(nil)

    package init() {}

    package var obstacle: String? {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }

    package func betweenSteps() {}
    package func rest(until deadline: ContinuousClock.Instant) { Thread.sleep(forTimeInterval: 0.002) }
    package func wake() {}
}
