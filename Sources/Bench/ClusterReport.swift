internal import Cluster
internal import Foundation

/// What a cluster's changes cost those who wait for tokens.
package struct ClusterReport: Sendable, Encodable {
    /// One stretch of steps, with what happened in it.
    package struct Phase: Sendable, Encodable {
        package enum Name: String, Sendable, Encodable {
            case uniform, rebalance, rebalanced
            case scaleOut = "scale-out"
            case scaledOut = "scaled out"
            case drain
            case killedWithFewReplicas = "kill, few replicas"
            case mended
            /// From here on every expert has two holders.
            case replicated
            case killedWithReplicas = "kill, replicas"
        }

        package let name: Name
        package let steps: Int
        package let tokensPerSecond: Double
        package let medianStepSeconds: Double
        /// The longest time from one step's end to the next one's.
        package let longestGapSeconds: Double
        /// Mean over maximum of the workers' tokens, over the trace and the placement at the phase's end.
        package let balancedness: Double
        package let movedBytes: Int
        /// The bytes of the slots that workers hold at the end and did not hold at the start.
        package let leastBytes: Int
        package let failedSteps: Int
        package let isExact: Bool

        package init(
            name: Name, span: ClusterRun.Span, tokens: Int, balancedness: Double, movedBytes: Int, leastBytes: Int
        ) {
            let samples = Samples(span.stepSeconds.isEmpty ? [0] : span.stepSeconds)
            self.name = name
            steps = span.stepSeconds.count
            tokensPerSecond = samples.total > 0 ? Double(tokens * samples.count) / samples.total : 0
            medianStepSeconds = samples.median
            longestGapSeconds = samples.quantile(1)
            self.balancedness = balancedness
            self.movedBytes = movedBytes
            self.leastBytes = leastBytes
            failedSteps = span.failures.count
            isExact = span.isExact
        }
    }

    /// How level the policies are on the trace by number of workers: maximum over mean.
    package struct Policies: Sendable, Encodable {
        package let workers: Int
        /// Of all workers together, for each layer.
        package let slots: Int
        package let cohort: Double
        package let deepseek: Double

        package init(workers: Int, slots: Int, cohort: Double, deepseek: Double) {
            self.workers = workers
            self.slots = slots
            self.cohort = cohort
            self.deepseek = deepseek
        }
    }

    package let workers: Int
    package let tokensPerStep: Int
    package let trace: String
    package let phases: [Phase]
    /// What it takes to choose replicas and build the dispatch of a layer's batch.
    package let planningSeconds: Double
    /// The same of all layers, against the rebalanced cluster's median step.
    package let planningShare: Double
    package let policies: [Policies]

    /// - Parameter planningSeconds: what it takes to choose replicas and build the dispatch of a layer's batch.
    package init(
        workers: Int, tokensPerStep: Int, trace: String, layers: Int, phases: [Phase], planningSeconds: Double,
        policies: [Policies]
    ) {
        self.workers = workers
        self.tokensPerStep = tokensPerStep
        self.trace = trace
        self.phases = phases
        self.planningSeconds = planningSeconds
        let step = phases.first { $0.name == .rebalanced }?.medianStepSeconds ?? 0
        planningShare = step > 0 ? planningSeconds * Double(layers) / step : 0
        self.policies = policies
    }

    package var text: String {
        var table = TextTable(header: [
            "phase", "steps", "tokens/s", "median step", "longest gap", "balanced", "moved", "least", "failed", "exact",
        ])
        for phase in phases {
            table.add([
                phase.name.rawValue, "\(phase.steps)", String(format: "%.0f", phase.tokensPerSecond),
                Amount.seconds(phase.medianStepSeconds), Amount.seconds(phase.longestGapSeconds),
                String(format: "%.3f", phase.balancedness), Amount.bytes(phase.movedBytes),
                Amount.bytes(phase.leastBytes), "\(phase.failedSteps)", phase.isExact ? "yes" : "NO",
            ])
        }
        var levels = TextTable(header: ["workers", "slots", "cohort", "deepseek"])
        for policy in policies {
            levels.add([
                "\(policy.workers)", "\(policy.slots)", String(format: "%.4f", policy.cohort),
                String(format: "%.4f", policy.deepseek),
            ])
        }
        let head = "\(workers) workers, \(tokensPerStep) tokens a step, \(trace)"
        let planning = String(
            format: "choosing replicas and building the dispatch: %@ a layer, %.2f %% of a step",
            Amount.seconds(planningSeconds), planningShare * 100)
        let title = "max/mean tokens per worker by policy, with so many slots per layer"
        return ([head] + table.lines() + ["", planning, "", title] + levels.lines()).joined(separator: "\n")
    }
}
