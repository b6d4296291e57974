internal import ArgumentParser
internal import Cluster

/// How a cluster that serves changes while it runs: the flags.
struct LivingOptions: ParsableArguments {
    @Option(
        help: """
            How experts are placed: cohort (weighted by memory and speed, moves little), or deepseek (the published \
            EPLB at the start and for a rebalance). Default: \(Self.usualPolicy).
            """)
    var placementPolicy: PolicyName?

    @Option(
        help: """
            Experts' worth of slots per layer beyond one for each. Default: as many as the workers' memory allows; 0 \
            with --local where experts are converted or sliced.
            """)
    var redundantExperts: Int?

    @Option(
        help: """
            Seconds between two looks at the load for a rebalance; 0: only when `cohort rebalance` asks. Default: \
            \(Self.usualInterval).
            """)
    var rebalanceInterval: Int?

    @Option(
        help: """
            The share of the slowest workers' time that a rebalance has to save. Default: \(Self.usualThreshold).
            """)
    var rebalanceThreshold: Double?

    @Option(help: "What filling slots may move in all, such as 500MB/s. Default: what disks and links give.")
    var migrationBandwidth: TransferRate?

    @Option(
        help: """
            Seconds that requests wait for experts that nobody holds before they fail. Default: \(Self.usualRecovery).
            """)
    var recoveryTimeout: Int?

    /// Those that were given: without workers they do nothing.
    var given: [String] {
        [
            ("--placement-policy", placementPolicy != nil), ("--redundant-experts", redundantExperts != nil),
            ("--rebalance-interval", rebalanceInterval != nil), ("--rebalance-threshold", rebalanceThreshold != nil),
            ("--migration-bandwidth", migrationBandwidth != nil), ("--recovery-timeout", recoveryTimeout != nil),
        ].filter(\.1).map(\.0)
    }

    func validate() throws {
        if let redundantExperts, !(0...Self.maximumRedundant ~= redundantExperts) {
            throw ValidationError("--redundant-experts is \(redundantExperts): give 0 to \(Self.maximumRedundant)")
        }
        for (name, value) in [
            ("--rebalance-interval", rebalanceInterval ?? 0), ("--recovery-timeout", recoveryTimeout ?? 0),
        ] where !(0...Self.maximumSeconds ~= value) {
            throw ValidationError("\(name) is \(value): give 0 to \(Self.maximumSeconds) seconds")
        }
        if let rebalanceThreshold, !(0..<1 ~= rebalanceThreshold) {
            throw ValidationError("--rebalance-threshold is \(rebalanceThreshold): give 0 or more, below 1")
        }
    }

    /// - Parameter usualRedundant: experts' worth of redundant slots per layer where no flag says; nil: as many as the
    ///   workers' memory allows.
    func behavior(usualRedundant: Int?, record: (LoadStatistics, NamedPlacement)?) -> ClusterBehavior {
        var behavior = ClusterBehavior()
        behavior.record = record
        behavior.admitsNewcomers = true
        behavior.settings.policy = (placementPolicy ?? Self.usualPolicy).policy(
            CohortPolicy(
                redundantExperts: redundantExperts ?? usualRedundant,
                threshold: rebalanceThreshold ?? Self.usualThreshold))
        behavior.settings.throttle = FillThrottle(
            bytesPerSecond: migrationBandwidth?.bytesPerSecond, maximumPerWorker: Self.fillsPerWorker)
        let interval = rebalanceInterval ?? Self.usualInterval
        behavior.settings.rebalanceInterval = interval == 0 ? nil : .seconds(interval)
        behavior.limits.recovery = .seconds(recoveryTimeout ?? Self.usualRecovery)
        return behavior
    }

    private static let usualPolicy = PolicyName.cohort
    private static let usualInterval = 60
    private static let usualThreshold = 0.05
    private static let usualRecovery = 60
    private static let maximumRedundant = 65_536
    private static let maximumSeconds = 86_400
    /// Enough to keep a worker's disk busy while reports are on their way.
    private static let fillsPerWorker = 32
}

/// A placement policy as the flag names it.
enum PolicyName: String, CaseIterable, ExpressibleByArgument {
    case cohort, deepseek

    func policy(_ incremental: CohortPolicy) -> PlacementPolicy {
        switch self {
        case .cohort: .cohort(incremental)
        case .deepseek: .deepseek(DeepSeekPolicy(incremental: incremental))
        }
    }
}
