import Cluster
import Synchronization
import TestSupport
import Testing
import Transport
import Wire

/// A worker on an in-process link: holds slots without weights, and answers with a function of expert and row.
final class SimulatedWorker {
    /// How its link behaves; changed while it runs.
    final class Weather: Sendable {
        let slowness = Atomic(1)
        /// Its step hangs: it beats, and answers nothing.
        let isMute = Atomic(false)
    }

    enum State: Equatable {
        case alive
        /// Reads and says nothing: stopped, or cut off.
        case hung
        case gone
    }

    let name: String
    let capacity: Int
    let weather = Weather()
    /// The coordinator's end.
    let theirs: InProcessLink
    private(set) var state = State.alive
    private(set) var slots: Set<Slot>
    private let link: InProcessLink
    private let exchange: InProcessExchange
    private let time: ManualTime
    private let shape: RowShape
    private var generator: SplitMix
    /// Orders under way: when each is done.
    private var orders: [(number: UInt64, slots: Set<Slot>, due: Instant)] = []
    private var nextHeartbeat: Instant

    /// - Parameter firstBeat: how long to wait with the first heartbeat.
    init(
        name: String, capacity: Int, slots: Set<Slot>, shape: RowShape, time: ManualTime, seed: UInt64,
        firstBeat: Duration = .zero
    ) {
        self.name = name
        self.capacity = capacity
        self.slots = slots
        self.shape = shape
        self.time = time
        generator = SplitMix(seed: seed)
        let delays = Mutex(SplitMix(seed: seed &+ 1))
        (theirs, link) = InProcessLink.pair("coordinator", name, time: time) { [weather] sender, byteCount in
            let micros = delays.withLock { Int.random(in: 5...400, using: &$0) }
            let slowness = sender == "coordinator" ? 1 : weather.slowness.load(ordering: .relaxed)
            return .microseconds(micros * slowness)
        }
        link.maximumPayload = 1 << 20
        exchange = InProcessExchange(time: time) { _ in }
        exchange.add(link)
        nextHeartbeat = time.now() + firstBeat
    }

    /// Whether nothing of what it was told is left to be done.
    var isIdle: Bool { orders.isEmpty }

    func hang() { state = .hung }

    func wakeUp() { if state == .hung { state = .alive } }

    /// The process ends; its socket closes.
    func die() {
        state = .gone
        link.close(.local("killed"))
    }

    /// Does what is due.
    /// - Returns: whether anything was.
    func pump() throws -> Bool {
        guard state == .alive else { return false }
        var failure: (any Error)?
        let result = exchange.wait(until: time.now(), spin: .zero) { event in
            do { try handle(event) } catch { failure = error }
        }
        if let failure, state == .alive { throw failure }
        guard state == .alive else { return true }
        let now = time.now()
        if now >= nextHeartbeat {
            try? link.send(.heartbeat)
            nextHeartbeat = now + .seconds(1)
        }
        return try finishOrders(now) || result == .delivered
    }

    private func handle(_ event: ExchangeEvent) throws {
        switch event {
        case .accepted: break
        case .closed: state = .gone
        case .frame(_, let header, let payload):
            if header.kind == .dispatch {
                if !weather.isMute.load(ordering: .relaxed) { try answer(header, payload) }
                return
            }
            switch try ControlMessage(kind: header.kind, payload: payload) {
            case .goodbye:
                state = .gone
                link.close(.local("dismissed"))
            case .assignment(let assignment):
                let wanted = Self.slots(assignment.slots)
                #expect(header.flight > 0, "an order has a number")
                #expect(slots.isDisjoint(with: wanted), "\(name) is to fill what it holds")
                let due = time.now() + .microseconds(Int.random(in: 0...20_000, using: &generator))
                orders.append((header.flight, wanted, max(due, orders.last?.due ?? due)))
                let filling = orders.reduce(0) { $0 + $1.slots.count }
                #expect(slots.count + filling <= capacity, "\(name) is given more than it has room for")
            case .release(let release):
                let dropped = Self.slots(release.slots)
                slots.subtract(dropped)
                for index in orders.indices { orders[index].slots.subtract(dropped) }
            default: Issue.record("\(name) got a \(header.kind) message")
            }
        }
    }

    private func finishOrders(_ now: Instant) throws -> Bool {
        var isAny = false
        while let order = orders.first, order.due <= now {
            orders.removeFirst()
            isAny = true
            if Int.random(in: 0..<40, using: &generator) == 0 {
                try? link.send(.failure(FailureReport(message: "no such file", status: 1)), flight: order.number)
            } else {
                slots.formUnion(order.slots)
                let report = ReadyReport(loadedBytes: 0, residentBytes: 0, expertSlots: slots.count)
                try? link.send(.ready(report), flight: order.number)
            }
        }
        return isAny
    }

    private func answer(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) throws {
        let body = try DispatchBody(
            header: header, payload: payload, shape: shape,
            bounds: .init(maximumRows: 64, expertCount: 64, rankCount: 8))
        var answers: [Float] = []
        for pair in body.pairs {
            let slot = Slot(layer: Int(header.layer), expert: Int(pair.expert), rank: Int(pair.rank))
            #expect(slots.contains(slot), "\(name) is asked for \(slot), which it does not hold")
            let row = body.rows.baseAddress! + Int(pair.row) * shape.byteCount
            for column in 0..<shape.hiddenSize {
                answers.append(Self.answer(slot, row.loadUnaligned(fromByteOffset: column * 4, as: Float.self)))
            }
        }
        let elapsed = UInt32(answers.count)
        try answers.withUnsafeBytes {
            try link.send(CombineBody.header(answering: header, shape: shape, elapsedMicroseconds: elapsed), [$0])
        }
    }

    /// What an expert makes of one value.
    static func answer(_ slot: Slot, _ value: Float) -> Float {
        value * (1 + Float(slot.expert) / 16 + Float(slot.layer) / 4 + Float(slot.rank) / 64) + Float(slot.expert)
    }

    private static func slots(_ groups: [Assignment.SlotGroup]) -> Set<Slot> {
        Set(groups.flatMap { group in group.experts.map { Slot(layer: group.layer, expert: $0, rank: group.rank) } })
    }
}
