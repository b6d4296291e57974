internal import ArgumentParser
internal import Cluster
internal import Transport
internal import Wire

/// Where the routed experts live: the flags that every command with a cluster has.
struct ClusterOptions: ParsableArguments {
    @Option(help: "Start N worker processes on this machine; 0 computes the experts in this process.")
    var local: Int?

    @Option(help: "A cluster file (YAML): the workers that will dial in.")
    var cluster: String?

    @Option(help: "Slices of each expert along its intermediate dimension.")
    var tensorParallelSize: Int?

    @Option(help: "Contiguous stages of MoE layers, each with workers of its own.")
    var pipelineParallelSize: Int?

    @Option(
        help: """
            Begin with the placement that `cohort rebalance --record FILE` wrote; where the workers are others, with \
            one dealt for its load.
            """)
    var placement: String?

    /// Whether there are any, on this machine or elsewhere.
    var hasWorkers: Bool { cluster != nil || (local ?? 0) > 0 }

    func validate() throws {
        if local != nil && cluster != nil {
            throw ValidationError("--local and --cluster exclude each other: give one")
        }
        if let local, !(0...Self.maximumLocal ~= local) {
            throw ValidationError("--local is \(local): give 0 to \(Self.maximumLocal)")
        }
        if placement != nil && !hasWorkers {
            throw ValidationError("--placement places experts on workers: give --local N or --cluster FILE too")
        }
    }

    /// What the file of `--placement` holds.
    func record() throws -> (LoadStatistics, NamedPlacement)? {
        guard let placement else { return nil }
        return try PlacementFile.decode(
            try NamedFile.bytes(of: placement, what: "placement", maximumByteSize: PlacementFile.maximumByteSize),
            file: placement, seconds: MonotonicTime().now().sinceOrigin / .seconds(1))
    }

    /// Far more worker processes than one machine has use for.
    private static let maximumLocal = 256
}
