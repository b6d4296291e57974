internal import Cluster
internal import Dispatcher

/// How a cluster behaves while it runs: what the flags say of it.
struct ClusterBehavior {
    /// The load that the first placement is dealt for, and the placement to begin with; nil: none is known.
    var record: (statistics: LoadStatistics, placement: NamedPlacement)?
    var settings = ControlPlane.Settings()
    var limits = RemoteExperts.Limits()
    /// Whether workers may join whom the cluster file does not name.
    var admitsNewcomers = false

    /// One completion by whoever is there.
    static let still = ClusterBehavior()
}
