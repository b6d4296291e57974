package import Cluster
package import Experts
internal import Kernels
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

        fileprivate mutating func add(_ place: Int, _ routing: Routing, _ table: SlotTable) {
            let (pair, rank) = place.quotientAndRemainder(dividingBy: table.tensor)
            let token = pair / routing.expertsPerToken
            writer.add(sourceRow: token, expert: Int(routing.experts[pair]), rank: rank)
            places.append(Int32(place))
        }

        fileprivate mutating func clear() {
            writer.removeAll()
            places.removeAll(keepingCapacity: true)
        }

        /// Whether a worker holds every expert that this is about.
        fileprivate func isHeld(by worker: Int, _ table: SlotTable) -> Bool {
            writer.pairs.allSatisfy {
                table[Int($0.expert) * table.tensor + Int($0.rank)].contains(Int32(worker))
            }
        }
    }

    /// What one frame is made of.
    package enum Part {
        /// What a worker gets at once.
        case share(of: Int)
        /// What was kept back, by its place among the portions.
        case portion(Int)
    }

    /// By worker.
    package private(set) var shares: [Share] = []
    /// What was kept back of the last whole batch, worker by worker, each one's largest first; taken ones are empty.
    private var portions: [(worker: Int, share: Share)] = []
    private var portionCount = 0
    private var cutter: PortionCutter
    /// [workers] where a worker's portions begin.
    private var starts: [Int] = []
    private let shape: RowShape
    private var chooser: ReplicaChooser
    /// [tokens, experts per token, tensor] the worker of each pair.
    private var chosen: [Int32] = []

    /// - Parameters:
    ///   - speeds: [workers], positive, in any unit.
    ///   - portionExperts: the fewest experts that a portion is about.
    package init(speeds: [Double], shape: RowShape, portionExperts: Int = 3) {
        self.shape = shape
        cutter = PortionCutter(readingTokens: Self.readingTokens, fewestReadings: portionExperts)
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
    /// - Parameter inPortions: whether to keep back what others hold too, for those that are done first.
    package mutating func build(_ routing: Routing, _ table: SlotTable, inPortions: Bool = false) {
        clear()
        portionCount = 0
        let count = routing.pairCount * table.tensor
        while chosen.count < count { chosen.append(0) }
        chooser.choose(
            experts: routing.experts, tokens: routing.tokens, expertsPerToken: routing.expertsPerToken, table: table,
            into: &chosen)
        guard inPortions else {
            for place in 0..<count { add(place, to: Int(chosen[place]), routing, table) }
            return
        }
        cutter.cut(
            chosen, experts: routing.experts, pairs: routing.pairCount, table: table, workers: shares.count)
        beginPortions()
        for place in 0..<count {
            let worker = Int(chosen[place])
            let (pair, rank) = place.quotientAndRemainder(dividingBy: table.tensor)
            let number = cutter.portion(of: Int(routing.experts[pair]) * table.tensor + rank, worker: worker)
            if number == 0 {
                add(place, to: worker, routing, table)
            } else {
                portions[starts[worker] + number - 1].share.add(place, routing, table)
            }
        }
    }

    private mutating func beginPortions() {
        starts.removeAll(keepingCapacity: true)
        for worker in shares.indices {
            starts.append(portionCount)
            for _ in 0..<cutter.laterCounts[worker] {
                if portionCount == portions.count {
                    portions.append((worker, Share(writer: DispatchWriter(shape: shape))))
                }
                portions[portionCount].worker = worker
                portions[portionCount].share.clear()
                portionCount += 1
            }
        }
    }

    /// Whether something that was kept back is not taken.
    package var hasPortions: Bool { portions[..<portionCount].contains { !$0.share.isEmpty } }

    /// What was kept back and is not taken, and of whom.
    var portionsLeft: [(worker: Int, Part)] {
        (0..<portionCount).filter { !portions[$0].share.isEmpty }.map { (portions[$0].worker, .portion($0)) }
    }

    /// What a worker that has nothing more to do takes next: the largest of its own, else the smallest of the worker
    /// that has most of them left, of those that it can compute; nil: nothing.
    package func nextPortion(for worker: Int, _ table: SlotTable) -> Part? {
        var best: Int?
        var most = 0
        var index = 0
        while index < portionCount {
            let owner = portions[index].worker
            var left = 0
            var last: Int?
            while index < portionCount, portions[index].worker == owner {
                if !portions[index].share.isEmpty {
                    if owner == worker { return .portion(index) }
                    left += 1
                    if portions[index].share.isHeld(by: worker, table) { last = index }
                }
                index += 1
            }
            if left > most, let last { (best, most) = (last, left) }
        }
        return best.map { .portion($0) }
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
        shares[worker].add(place, routing, table)
    }

    private mutating func clear() {
        for worker in shares.indices { shares[worker].clear() }
    }

    private mutating func grow(to count: Int) {
        while shares.count < count { shares.append(Share(writer: DispatchWriter(shape: shape))) }
    }

    /// Hands out the places of a part, which is empty then, and takes `empty` for the next plan's.
    package mutating func takePlaces(of part: Part, leaving empty: consuming [Int32]) -> [Int32] {
        var places = empty
        switch part {
        case .share(let worker): swap(&places, &shares[worker].places)
        case .portion(let index): swap(&places, &portions[index].share.places)
        }
        return places
    }

    /// Sends letters with the shares of their workers, each worker's once, on all threads; the last is the caller's.
    mutating func send(
        _ letters: UnsafeMutableBufferPointer<Letter>, hidden: UnsafeRawPointer, epoch: UInt32, layer: Int,
        on team: ThreadTeam
    ) {
        shares.withUnsafeMutableBufferPointer { shares in
            team.forEach(letters.count) { index in
                let place = letters.count - 1 - index
                shares[letters[place].worker].writer.write(
                    hidden: hidden, epoch: epoch, layer: layer, flight: letters[place].identifier
                ) { letters[place].send($0, $1) }
            }
        }
    }

    /// Calls `send` with the frame of a part; its segments are valid inside the call only.
    mutating func write(
        _ part: Part, hidden: UnsafeRawPointer, epoch: UInt32, layer: Int, flight: UInt64,
        _ send: (FrameHeader, [UnsafeRawBufferPointer]) -> Void
    ) {
        switch part {
        case .share(let worker):
            shares[worker].writer.write(hidden: hidden, epoch: epoch, layer: layer, flight: flight, send)
        case .portion(let index):
            portions[index].share.writer.write(
                hidden: hidden, epoch: epoch, layer: layer, flight: flight, send)
        }
    }
}
