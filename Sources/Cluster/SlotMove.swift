/// One step of a policy in one layer: a row gets a holder, and may lose one, and another row may lose a redundant one
/// to make room. Workers and rows are numbered as in `LayerBalance`.
struct SlotMove {
    struct Place: Equatable {
        let row: Int
        let worker: Int
    }

    var fill: Place
    /// The holder that gives the row up.
    var from: Int?
    /// A redundant slot that goes.
    var eviction: Place?
    /// A second fill, for two rows that change places.
    var exchange: Place?
    /// What the unevenness is expected to shrink by for each slot filled.
    var gain: Double
}

extension SlotMove {
    /// Whether both change the same slots, whatever they are expected to gain.
    func isSame(_ other: SlotMove) -> Bool {
        fill == other.fill && from == other.from && eviction == other.eviction && exchange == other.exchange
    }

    /// Fills (true) and frees (false), in order.
    var changes: [(isFill: Bool, place: Place)] {
        var changes = [(isFill: true, place: fill)]
        if let from { changes.append((false, Place(row: fill.row, worker: from))) }
        if let eviction { changes.append((false, eviction)) }
        if let exchange {
            changes.append((true, exchange))
            changes.append((false, Place(row: exchange.row, worker: fill.worker)))
        }
        return changes
    }
}
