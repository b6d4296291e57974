package import Cluster
package import Experts
package import Wire

/// Who computes what of one layer's batch: for each worker the rows and pairs to send, and for each pair the place of
/// its answer. Reused from layer to layer.
package struct DispatchPlan {
    /// One worker's part.
    package struct Share {
        package fileprivate(set) var writer: DispatchWriter
        /// By pair: the row of the answers, (token * slots + slot) * ranks + rank.
        package fileprivate(set) var places: [Int32] = []

        package var isEmpty: Bool { places.isEmpty }
    }

    /// By worker.
    package private(set) var shares: [Share]
    /// [tokens, experts per token, tensor] the worker of each pair.
    private var chosen: [Int32] = []

    package init(workerCount: Int, shape: RowShape) {
        shares = Array(repeating: Share(writer: DispatchWriter(shape: shape)), count: workerCount)
    }

    /// Sends every (token, slot, rank) to one of the workers that the table names for it, chosen so that they are
    /// level.
    package mutating func build(_ routing: Routing, _ table: SlotTable, _ chooser: inout ReplicaChooser) {
        for worker in shares.indices {
            shares[worker].writer.removeAll()
            shares[worker].places.removeAll(keepingCapacity: true)
        }
        let ranks = table.tensor
        while chosen.count < routing.pairCount * ranks { chosen.append(0) }
        chooser.choose(
            experts: routing.experts, tokens: routing.tokens, expertsPerToken: routing.expertsPerToken, table: table,
            into: &chosen)
        for token in 0..<routing.tokens {
            for pair in token * routing.expertsPerToken..<(token + 1) * routing.expertsPerToken {
                for rank in 0..<ranks {
                    let place = pair * ranks + rank
                    let worker = Int(chosen[place])
                    shares[worker].writer.add(sourceRow: token, expert: Int(routing.experts[pair]), rank: rank)
                    shares[worker].places.append(Int32(place))
                }
            }
        }
    }

    /// Calls `send` with the frame of one worker's share; its segments are valid inside the call only.
    package mutating func write(
        worker: Int, hidden: UnsafeRawPointer, epoch: UInt32, layer: Int, flight: UInt64,
        _ send: (FrameHeader, [UnsafeRawBufferPointer]) throws -> Void
    ) throws {
        try shares[worker].writer.write(hidden: hidden, epoch: epoch, layer: layer, flight: flight, send)
    }
}
