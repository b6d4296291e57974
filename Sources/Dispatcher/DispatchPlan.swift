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
        clear()
        let count = routing.pairCount * table.tensor
        while chosen.count < count { chosen.append(0) }
        chooser.choose(
            experts: routing.experts, tokens: routing.tokens, expertsPerToken: routing.expertsPerToken, table: table,
            into: &chosen)
        for place in 0..<count { add(place, to: Int(chosen[place]), routing, table) }
    }

    /// Sends some answers alone to the worker that the table names first.
    /// - Parameter places: ascending.
    package mutating func build(_ routing: Routing, _ table: SlotTable, only places: [Int32]) {
        clear()
        for place in places {
            let (pair, rank) = Int(place).quotientAndRemainder(dividingBy: table.tensor)
            let row = Int(routing.experts[pair]) * table.tensor + rank
            add(Int(place), to: Int(table.primary[row]), routing, table)
        }
    }

    private mutating func add(_ place: Int, to worker: Int, _ routing: Routing, _ table: SlotTable) {
        let (pair, rank) = place.quotientAndRemainder(dividingBy: table.tensor)
        let token = pair / routing.expertsPerToken
        shares[worker].writer.add(sourceRow: token, expert: Int(routing.experts[pair]), rank: rank)
        shares[worker].places.append(Int32(place))
    }

    private mutating func clear() {
        for worker in shares.indices {
            shares[worker].writer.removeAll()
            shares[worker].places.removeAll(keepingCapacity: true)
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
