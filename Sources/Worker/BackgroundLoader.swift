internal import Checkpoint
internal import Experts
internal import Foundation
internal import Kernels
internal import Synchronization
internal import Transport
internal import Wire

/// Loads further experts on a thread of its own while the worker serves.
final class BackgroundLoader: Sendable {
    private let checkpoint: Checkpoint
    private let exchange: any Exchange
    private let loaded = Mutex<[Loaded]>([])

    /// What came of an order.
    struct Loaded: Sendable {
        let order: UInt64
        let shard: Result<ExpertShard, any Error>
    }

    /// - Parameter exchange: woken when something has been loaded.
    init(checkpoint: Checkpoint, exchange: any Exchange) {
        self.checkpoint = checkpoint
        self.exchange = exchange
    }

    func start(_ assignment: Assignment, order: UInt64) {
        Thread.detachNewThread { [self] in
            let loader = ShardLoader(checkpoint: checkpoint, team: ThreadTeam(threads: 1))
            let result = Result { try loader.load(assignment) { _, _ in } }
            loaded.withLock { $0.append(Loaded(order: order, shard: result)) }
            exchange.wake()
        }
    }

    /// What has been loaded since the last call.
    func take() -> [Loaded] {
        loaded.withLock { loaded in
            defer { loaded.removeAll() }
            return loaded
        }
    }
}
