internal import Dispatcher
internal import Serving
internal import Transport
internal import Wire

/// What the engine's thread does between steps when its experts are on a cluster: it is the cluster's thread too.
final class ClusterInterlude: Interlude, Sendable {
    private nonisolated(unsafe) let experts: RemoteExperts
    private let desk: ControlDesk
    private let time: any TimeSource

    init(_ experts: RemoteExperts, time: any TimeSource = MonotonicTime()) {
        self.experts = experts
        desk = experts.desk
        self.time = time
    }

    func betweenSteps() { experts.turn() }

    func rest(until deadline: ContinuousClock.Instant) { experts.rest(until: time.now() + (deadline - .now)) }

    func wake() { desk.wake() }

    var obstacle: String? { experts.obstacle?.description }
}
