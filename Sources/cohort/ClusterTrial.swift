internal import Bench
internal import Checkpoint
internal import Cluster
internal import Dispatcher
internal import Experts
internal import Foundation
internal import Kernels
internal import Wire

/// A cluster of worker processes on this machine that changes under load.
final class ClusterTrial {
    enum Plan {
        /// Uniform at first, then rebalanced with so many redundant experts, grown, drained, and a worker killed.
        case lively(redundant: Int)
        /// Two holders for every expert, and a worker killed.
        case replicated
    }

    private let deployment: Deployment
    private let remote: RemoteExperts
    private let run: ClusterRun
    private let plan: Plan
    private let trace: RoutingTrace
    private let layers: [Int]
    private let hiddenSize: Int
    private let tokens: Int
    private let seconds: Double

    init(
        _ checkpoint: Checkpoint, trace: RoutingTrace, workers: Int, tokens: Int, seconds: Double,
        migrationBandwidth: Double?, _ plan: Plan
    ) throws {
        let config = checkpoint.config
        var behavior = ClusterBehavior()
        behavior.admitsNewcomers = true
        behavior.settings.throttle = FillThrottle(bytesPerSecond: migrationBandwidth, maximumPerWorker: 32)
        switch plan {
        case .lively(let redundant): behavior.settings.policy = .cohort(CohortPolicy(redundantExperts: redundant))
        case .replicated:
            behavior.settings.policy = .cohort(CohortPolicy(redundantExperts: config.expertCount))
        }
        // Workers are lost on purpose.
        let deployment = try Deployment(
            Deployment.Model(
                checkpoint: checkpoint, processor: Processor(threads: 1, compute: .fast),
                exchange: .standard(for: .fast), maximumTokens: tokens),
            workers: workers, behavior: behavior, logger: .standardError(.error))
        guard let remote = deployment.remote else { preconditionFailure("workers are processes") }
        self.deployment = deployment
        self.remote = remote
        self.plan = plan
        self.trace = trace
        layers = Array(config.expertLayers)
        hiddenSize = config.hiddenSize
        self.tokens = tokens
        self.seconds = seconds
        run = ClusterRun(
            experts: remote, layers: layers, trace: trace, tokens: tokens, hiddenSize: config.hiddenSize,
            betweenSteps: deployment.betweenSteps)
    }

    func phases() throws -> [ClusterReport.Phase] {
        switch plan {
        case .lively:
            return [
                try phase(.uniform),
                try phase(.rebalance) { self.ask(.rebalance) },
                try phase(.rebalanced),
                try phase(.scaleOut) { try self.deployment.workers?.start("worker-new") },
                try phase(.scaledOut),
                try phase(.drain) { self.ask(.drain(name: "worker-1")) },
                try phase(.killedWithFewReplicas) { self.deployment.workers?.kill("worker-2") },
                try phase(.mended),
            ]
        case .replicated:
            return [
                try phase(.replicated),
                try phase(.killedWithReplicas) { self.deployment.workers?.kill("worker-2") },
            ]
        }
    }

    /// What it takes to choose replicas and build the dispatch of one layer's batch, for the placement as it is.
    func planningSeconds() -> Double {
        let routing = Routing(maximumTokens: tokens, expertsPerToken: trace.expertsPerToken)
        routing.begin(tokens: tokens)
        let placement = remote.desk.placement
        var plan = DispatchPlan(
            speeds: remote.desk.status.workers.map { _ in 1 }, shape: RowShape(hiddenSize: hiddenSize, dtype: .bf16))
        let times = (0..<Self.planningRounds).map { round in
            let position = round % layers.count
            let first = round * tokens % max(1, trace.tokenCount - tokens)
            for (pair, expert) in trace.batch(layer: position, from: first, tokens: tokens).enumerated() {
                routing.experts[pair] = expert
            }
            let table = placement.table(layer: layers[position])
            return Stopwatch.seconds { plan.build(routing, table) }
        }
        return Samples(times).median
    }

    func close() { deployment.close() }

    /// Steps, with an event at their start if there is one: at least for the usual time, and until it is over.
    private func phase(
        _ name: ClusterReport.Phase.Name, _ event: () throws -> Void = {}
    ) throws -> ClusterReport.Phase {
        let before = remote.desk.placement
        let moved = remote.desk.status.totals.movedBytes
        let switches = remote.desk.status.totals.switches
        let settled = remote.desk.status.migration.last
        try event()
        let end = ContinuousClock.now + Self.limit
        let awaits = name == .scaleOut
        let span = run.run(seconds: seconds) {
            let status = self.remote.desk.status
            let hasBegun = !awaits || status.totals.switches > switches || status.migration.last != settled
            return .now < end && (status.migration.isUnderWay || !hasBegun)
        }
        let status = remote.desk.status
        let serving = status.workers.indices.filter { status.workers[$0].slots > 0 }
        return ClusterReport.Phase(
            name: name, span: span, tokens: tokens,
            balancedness: 1
                / trace.maximumOverMean(
                    remote.desk.placement, modelLayers: layers, workers: serving, batch: tokens),
            movedBytes: status.totals.movedBytes - moved, leastBytes: leastBytes(before, remote.desk.placement, status))
    }

    private func ask(_ command: ClusterCommand) { remote.desk.ask(command) { _ in } }

    private func leastBytes(_ before: Placement, _ after: Placement, _ status: ClusterStatus) -> Int {
        status.workers.enumerated().reduce(0) { sum, entry in
            let (index, worker) = entry
            let held = Set(before.slots(of: index))
            let gained = after.slots(of: index).count { !held.contains($0) }
            return sum + gained * worker.slotBytes / max(1, worker.slots)
        }
    }

    private static let planningRounds = 200
    /// A change that takes longer is no longer waited for.
    private static let limit = Duration.seconds(120)
}
