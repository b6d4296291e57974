internal import Wire

/// One dispatch frame under way: its answers' places in a flight, and the worker that owes them.
struct Parcel {
    let answers: Answers
    let worker: Int
    let places: [Int32]
    let sent: Instant
    /// Those who were asked before, one after the other.
    var losses: [WorkerLoss]
    /// Others have been asked for the same.
    var isHedged = false
}

/// What is owed by whom: every dispatch frame that has not been answered, and what has to be asked anew.
struct Parcels {
    private var underWay: [UInt64: Parcel] = [:]
    /// Memory of parcels that have been answered, for those to come: a step allocates nothing once it has grown.
    private var spares: [[Int32]] = []
    /// What nobody owes any more and somebody must.
    private(set) var orphans: [Parcel] = []

    subscript(identifier: UInt64) -> Parcel? { underWay[identifier] }

    var all: Dictionary<UInt64, Parcel>.Values { underWay.values }

    /// Those of one flight that are late and not hedged yet.
    func identifiers(of answers: Answers) -> [UInt64] {
        underWay.filter { $1.answers === answers && !$1.isHedged }.map(\.key).sorted()
    }

    func hasUnhedged(of answers: Answers) -> Bool {
        underWay.values.contains { $0.answers === answers && !$0.isHedged }
    }

    mutating func add(_ parcel: Parcel, as identifier: UInt64) { underWay[identifier] = parcel }

    mutating func remove(_ identifier: UInt64) {
        if let parcel = underWay.removeValue(forKey: identifier) { spares.append(parcel.places) }
    }

    /// An empty list of places, to be filled for a parcel.
    mutating func takeSpare() -> [Int32] {
        var places = spares.popLast() ?? []
        places.removeAll(keepingCapacity: true)
        return places
    }

    mutating func hedge(_ identifier: UInt64) { underWay[identifier]?.isHedged = true }

    /// What a worker owes in one parcel is to be asked of others.
    /// - Parameter loss: nil: it has left.
    mutating func orphan(_ identifier: UInt64, _ loss: WorkerLoss? = nil) {
        guard var parcel = underWay.removeValue(forKey: identifier) else { return }
        if let loss { parcel.losses.append(loss) }
        orphans.append(parcel)
    }

    /// What a worker owes is to be asked of others.
    mutating func orphanAll(of worker: Int, _ loss: WorkerLoss? = nil) {
        for identifier in underWay.filter({ $1.worker == worker }).map(\.key).sorted() { orphan(identifier, loss) }
    }

    /// The one that waits longest; there must be one.
    mutating func takeOrphan() -> Parcel { orphans.removeFirst() }

    /// Forgets what is still owed to a flight that is whole: another worker was faster.
    mutating func forget(_ answers: Answers) {
        guard !underWay.isEmpty || !orphans.isEmpty else { return }
        for (identifier, parcel) in underWay where parcel.answers === answers { remove(identifier) }
        orphans.removeAll { $0.answers === answers }
    }

    mutating func removeAll() {
        underWay.removeAll()
        orphans.removeAll()
    }
}
