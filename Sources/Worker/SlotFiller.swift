internal import Cluster
internal import Experts
internal import Foundation

/// Carries out orders for further experts in the background while the worker serves: one thread takes them in the order
/// in which they came. What is released meanwhile is dropped, whether its order waits, loads or is done.
///
/// The condition guards all that changes, which is why the class may be shared.
final class SlotFiller: Sendable {
    /// Brings slots into memory. `isWanted` says now and then which of them are still worth it.
    typealias Fill = @Sendable (_ slots: [Slot], _ isWanted: (Slot) -> Bool) throws -> [FilledSlot]

    /// What came of an order.
    struct Outcome: Sendable {
        let order: UInt64
        /// The slots that have not been released since.
        let slots: Result<[FilledSlot], any Error>
        /// Resident memory of the process afterwards.
        let residentBytes: Int
    }

    private enum Job {
        /// The order with this serial number.
        case fill(serial: Int, [Slot], Fill)
        case drop([ExpertWeights])
    }

    private struct Order {
        let serial: Int
        let number: UInt64
        var wanted: Set<Slot>
        var filled: Result<[FilledSlot], any Error>?
        var residentBytes = 0
    }

    private let condition = NSCondition()
    private let letGo: @Sendable (ExpertWeights) -> Void
    private let notify: @Sendable () -> Void
    private nonisolated(unsafe) var jobs: [Job] = []
    private nonisolated(unsafe) var orders: [Order] = []
    private nonisolated(unsafe) var nextSerial = 0
    private nonisolated(unsafe) var isOver = false

    /// - Parameters:
    ///   - letGo: gives the memory of dropped weights back, as far as more is to be done for it than to forget them;
    ///     called on the filler's thread, and by `close`.
    ///   - notify: called on the filler's thread when an order is done.
    init(letGo: @escaping @Sendable (ExpertWeights) -> Void, notify: @escaping @Sendable () -> Void) {
        self.letGo = letGo
        self.notify = notify
        Thread.detachNewThread { [self] in work() }
    }

    /// Ends the thread after what it is at, and lets go of what was dropped and of what was filled and not taken.
    func close() {
        let dropped: [ExpertWeights] = condition.withLock {
            isOver = true
            var dropped: [ExpertWeights] = []
            for case .drop(let weights) in jobs { dropped += weights }
            jobs.removeAll()
            for index in orders.indices {
                orders[index].wanted.removeAll()
                if case .success(let filled) = orders[index].filled { dropped += filled.map(\.weights) }
            }
            condition.signal()
            return dropped
        }
        dropped.forEach(letGo)
    }

    /// - Returns: false when too many orders wait already.
    func fill(_ slots: [Slot], order: UInt64, by fill: @escaping Fill) -> Bool {
        condition.withLock {
            guard orders.count < Self.mostOrders else { return false }
            orders.append(Order(serial: nextSerial, number: order, wanted: Set(slots)))
            add(.fill(serial: nextSerial, slots, fill))
            nextSerial += 1
            return true
        }
    }

    /// Slots of orders given before are no longer wanted; `held` are the weights of those that were in use.
    func release(_ slots: [Slot], held: [ExpertWeights]) {
        let slots = Set(slots)
        condition.withLock {
            var dropped = held
            for index in orders.indices {
                orders[index].wanted.subtract(slots)
                guard case .success(let filled) = orders[index].filled else { continue }
                dropped += filled.filter { slots.contains($0.slot) }.map(\.weights)
                orders[index].filled = .success(filled.filter { !slots.contains($0.slot) })
            }
            if !dropped.isEmpty { add(.drop(dropped)) }
        }
    }

    /// What has been done since the last call.
    func take() -> [Outcome] {
        condition.withLock {
            let done = orders.prefix { $0.filled != nil }
            orders.removeFirst(done.count)
            return done.compactMap { order in
                order.filled.map {
                    Outcome(order: order.number, slots: $0, residentBytes: order.residentBytes)
                }
            }
        }
    }

    private func add(_ job: Job) {
        jobs.append(job)
        condition.signal()
    }

    /// What the thread does.
    private func work() {
        // A full machine serves first and fills with what is left; an idle one has all of itself for the fill.
        setpriority(Int32(PRIO_PROCESS.rawValue), 0, Self.niceness)
        while let job = nextJob() {
            switch job {
            case .drop(let weights): weights.forEach(letGo)
            case .fill(let serial, let slots, let fill):
                let filled = Result { try fill(slots) { isWanted($0, serial) } }
                finish(serial, filled)
                notify()
            }
        }
    }

    /// Waits for it; nil: it is over.
    private func nextJob() -> Job? {
        condition.withLock {
            while jobs.isEmpty, !isOver { condition.wait() }
            return isOver ? nil : jobs.removeFirst()
        }
    }

    private func isWanted(_ slot: Slot, _ serial: Int) -> Bool {
        condition.withLock { orders.first { $0.serial == serial }?.wanted.contains(slot) ?? false }
    }

    /// Drops what was released meanwhile before the next order begins: that may ask for the same pages again.
    private func finish(_ serial: Int, _ filled: Result<[FilledSlot], any Error>) {
        let residentBytes = ResidentMemory.byteCount
        let unwanted = condition.withLock {
            guard let index = orders.firstIndex(where: { $0.serial == serial }) else { return [FilledSlot]() }
            let wanted = orders[index].wanted
            orders[index].filled = filled.map { $0.filter { wanted.contains($0.slot) } }
            orders[index].residentBytes = residentBytes
            return (try? filled.get())?.filter { !wanted.contains($0.slot) } ?? []
        }
        for entry in unwanted { letGo(entry.weights) }
    }

    /// Orders are a few at a time; a coordinator that sends so many without awaiting an answer has gone wrong.
    private static let mostOrders = 65_536
    /// Of the threads that work in the background.
    static let niceness: Int32 = 10
}
