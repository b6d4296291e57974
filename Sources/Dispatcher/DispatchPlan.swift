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
    package private(set) var shares: [Share] = []
    private let shape: RowShape
    private var chooser: ReplicaChooser
    /// [tokens, experts per token, tensor] the worker of each pair.
    private var chosen: [Int32] = []

    /// - Parameter speeds: [workers], positive, in any unit.
    package init(speeds: [Double], shape: RowShape) {
        self.shape = shape
        chooser = ReplicaChooser(speeds: speeds, readingTokens: Self.readingTokens)
        grow(to: speeds.count)
    }

    /// A core multiplies so many rows by an expert's weights, about, in the time that it takes to read them.
    private static let readingTokens = 8

    /// [workers] pairs of the last whole batch.
    package var loads: [Int32] { chooser.loads }

    /// From now on these are the workers.
    package mutating func set(speeds: [Double]) {
        grow(to: speeds.count)
        guard chooser.speeds != speeds.map(Float.init) else { return }
        chooser = ReplicaChooser(speeds: speeds, readingTokens: Self.readingTokens)
    }

    /// Sends every (token, slot, rank) to one of the workers that the table names for it, chosen so that they are
    /// level.
    package mutating func build(_ routing: Routing, _ table: SlotTable) {
        clear()
        let count = routing.pairCount * table.tensor
        while chosen.count < count { chosen.append(0) }
        chooser.choose(
            experts: routing.experts, tokens: routing.tokens, expertsPerToken: routing.expertsPerToken, table: table,
            into: &chosen)
        for place in 0..<count { add(place, to: Int(chosen[place]), routing, table) }
    }

    /// Sends some answers alone, each to the worker of those that the table names that has least so far.
    /// - Parameters:
    ///   - places: ascending.
    ///   - avoided: a worker that is not to get them; what nobody else holds is left out.
    package mutating func build(
        _ routing: Routing, _ table: SlotTable, only places: [Int32], avoiding avoided: Int? = nil
    ) {
        clear()
        for place in places {
            let (pair, rank) = Int(place).quotientAndRemainder(dividingBy: table.tensor)
            let holders = table[Int(routing.experts[pair]) * table.tensor + rank].lazy.map(Int.init)
            let least = holders.filter { $0 != avoided }.min { shares[$0].places.count < shares[$1].places.count }
            if let least { add(Int(place), to: least, routing, table) }
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

    private mutating func grow(to count: Int) {
        while shares.count < count { shares.append(Share(writer: DispatchWriter(shape: shape))) }
    }

    /// Hands out the places of one worker's share, and takes `empty` for the next plan's.
    mutating func takePlaces(of worker: Int, leaving empty: consuming [Int32]) -> [Int32] {
        var places = empty
        swap(&places, &shares[worker].places)
        return places
    }

    /// Calls `send` with the frame of one worker's share; its segments are valid inside the call only.
    package mutating func write(
        worker: Int, hidden: UnsafeRawPointer, epoch: UInt32, layer: Int, flight: UInt64,
        _ send: (FrameHeader, [UnsafeRawBufferPointer]) throws -> Void
    ) throws {
        try shares[worker].writer.write(hidden: hidden, epoch: epoch, layer: layer, flight: flight, send)
    }
}
