/// Counts the flights of each epoch, so that it is known when the slots of an old one are no longer needed.
package struct FlightLedger: Sendable {
    /// Ascending by epoch; no entry without flights.
    private var flights: [(epoch: UInt32, count: Int)] = []

    package init() {}

    package mutating func begin(epoch: UInt32) {
        if let place = flights.firstIndex(where: { $0.epoch == epoch }) {
            flights[place].count += 1
        } else {
            let place = flights.firstIndex { $0.epoch > epoch } ?? flights.endIndex
            flights.insert((epoch, 1), at: place)
        }
    }

    /// A flight is ended once, with the epoch that it began in.
    package mutating func end(epoch: UInt32) {
        guard let place = flights.firstIndex(where: { $0.epoch == epoch }) else {
            preconditionFailure("no flight of epoch \(epoch) is under way")
        }
        flights[place].count -= 1
        if flights[place].count == 0 { flights.remove(at: place) }
    }

    /// The oldest epoch that still has flights.
    package var oldest: UInt32? { flights.first?.epoch }
}
