import Checkpoint
import Cluster
import Foundation
import Kernels
import Logging
import Transport
import Wire
import Worker

/// A worker on a thread of its own, joined over loopback to a coordinator that is the test.
final class WorkerScene {
    enum Message {
        case control(ControlMessage, flight: UInt64)
        case combine(flight: UInt64, [UInt8])
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// What a worker is told that joins.
    var assignment: Assignment
    private let secret: ClusterSecret
    private var exchange: TCPExchange
    private let service: WorkerService
    private let ended = DispatchSemaphore(value: 0)
    private var link: (any Link)?
    private var received: [Message] = []
    /// Where the worker said last that others may fetch from it.
    private(set) var peerPort = 0

    /// Joins a worker and waits until it is ready.
    /// - Parameters:
    ///   - slots: what it is to begin with.
    ///   - modelPath: where it is told to find the checkpoint, if not where it is.
    init(
        _ checkpoint: Checkpoint, slots: [Slot] = [], tensorParallelSize: Int = 1, modelPath: String? = nil,
        expertDType: HeldDType? = nil,
        secret: ClusterSecret = .random(), rejoins: WorkerService.Rejoining = .afterLoss,
        patience: Duration = .seconds(10), refusal: FailureReport? = nil, log: LineLog = LineLog()
    ) throws {
        self.secret = secret
        let listener = try TCPListener(host: "127.0.0.1", port: 0)
        exchange = try TCPExchange(listener: listener)
        assignment = try Self.assignment(
            of: checkpoint, modelPath: modelPath ?? checkpoint.folder, slots: slots,
            tensorParallelSize: tensorParallelSize, expertDType: expertDType)
        service = WorkerService(
            .init(
                name: "worker", host: "127.0.0.1", port: listener.port, modelPath: nil, memoryBytes: 1 << 30,
                threads: 1,
                patience: patience, rejoins: rejoins),
            secret: secret, exchange: try TCPExchange(), time: MonotonicTime(),
            logger: Logger(label: "test") { _ in log })
        Thread.detachNewThread { [service, ended] in
            try? service.run()
            ended.signal()
        }
        try admit(refusal: refusal)
    }

    deinit { service.stop() }

    /// What a coordinator of this model tells a worker.
    static func assignment(
        of checkpoint: Checkpoint, modelPath: String, slots: [Slot] = [], tensorParallelSize: Int = 1,
        expertDType: HeldDType? = nil
    ) throws -> Assignment {
        Assignment(
            epoch: 1, modelPath: modelPath, modelFingerprint: try checkpoint.fingerprint,
            compute: Compute.f32.rawValue, rowShape: RowShape(hiddenSize: checkpoint.config.hiddenSize, dtype: .f32),
            tensorParallelSize: tensorParallelSize, maximumRows: 4, slots: groups(slots),
            model: ModelShape(checkpoint.config), expertDType: expertDType?.rawValue ?? "")
    }

    /// - Returns: whether the worker ends in time.
    func close() -> Bool {
        service.stop()
        return ends()
    }

    /// Whether the worker ends by itself in time.
    func ends(within seconds: Double = 10) -> Bool { ended.wait(timeout: .now() + seconds) == .success }

    /// Nobody is let in any more.
    func stopListening() throws {
        let old = exchange
        exchange = try TCPExchange()
        guard let link else { return }
        old.remove(link)
        exchange.add(link)
    }

    /// Ends the link without a word.
    func cut() {
        link?.close(.local("cut"))
        link = nil
        received.removeAll()
    }

    /// Waits until the worker dials, checks that it knows the secret, and gives it the assignment.
    /// - Parameters:
    ///   - refusal: sent in its stead.
    ///   - limit: on the wait for each message.
    func admit(refusal: FailureReport? = nil, within limit: Duration = .seconds(10)) throws {
        var handshake = CoordinatorHandshake(secret: secret, deadline: MonotonicTime().now() + .seconds(10))
        while true {
            guard case .control(let message, _) = try next(within: limit) else {
                throw Failure(description: "a combine came")
            }
            switch try handshake.receive(message, at: MonotonicTime().now()) {
            case .send(let answer): try send(answer)
            case .accept:
                link?.maximumPayload = 64 << 20
                try send(refusal.map { .failure($0) } ?? .assignment(assignment))
                return
            }
        }
    }

    func send(_ message: ControlMessage, flight: UInt64 = 0) throws {
        guard let link else { throw Failure(description: "no worker has joined") }
        try link.send(message, flight: flight)
    }

    /// The next message but heartbeats and progress.
    func next(within limit: Duration = .seconds(10)) throws -> Message {
        let time = MonotonicTime()
        let deadline = time.now() + limit
        var closed: String?
        while received.isEmpty {
            if let closed { throw Failure(description: closed) }
            guard time.now() < deadline else { throw Failure(description: "nothing came within \(limit)") }
            _ = exchange.wait(until: deadline, spin: .zero) { event in
                switch event {
                case .accepted(let link): self.link = link
                case .closed(let link, let reason):
                    if link === self.link { closed = "the worker's link is closed: \(reason)" }
                case .frame(_, let header, let payload): note(header, payload)
                }
            }
        }
        return received.removeFirst()
    }

    private func note(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) {
        if header.kind == .combine {
            received.append(.combine(flight: header.flight, Array(payload)))
            return
        }
        switch try? ControlMessage(kind: header.kind, payload: payload) {
        case .heartbeat, .progress, nil: break
        case .some(let message): received.append(.control(message, flight: header.flight))
        }
    }

    static func groups(_ slots: [Slot]) -> [Assignment.SlotGroup] {
        slots.map { Assignment.SlotGroup(layer: $0.layer, rank: $0.rank, experts: [$0.expert]) }
    }
}

// What a coordinator says and hears.
extension WorkerScene {
    func order(_ number: UInt64, _ slots: [Slot], _ change: (inout Assignment) -> Void = { _ in }) throws {
        var order = assignment
        order.slots = Self.groups(slots)
        change(&order)
        try send(.assignment(order), flight: number)
    }

    func release(_ slots: [Slot]) throws { try send(.release(SlotRelease(slots: Self.groups(slots)))) }

    /// The next message, which must be ready.
    func ready(order: UInt64 = 0) throws -> ReadyReport {
        let message = try next()
        guard case .control(.ready(let report), order) = message else {
            throw Failure(description: "instead of ready to order \(order) came \(message)")
        }
        peerPort = report.peerPort
        return report
    }

    /// Asks for what slots make of a row.
    func dispatch(_ flight: UInt64, _ slots: [Slot], row: [Float]) throws {
        var writer = DispatchWriter(shape: assignment.rowShape)
        for slot in slots { writer.add(sourceRow: 0, expert: slot.expert, rank: slot.rank) }
        try row.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress, let link else { throw Failure(description: "no row or no link") }
            try writer.write(hidden: start, epoch: 1, layer: slots[0].layer, flight: flight) { header, segments in
                try link.send(header, segments)
            }
        }
    }

    /// The next message, which must be a failure of this order: its text.
    func failure(order: UInt64) throws -> String {
        let message = try next()
        guard case .control(.failure(let report), order) = message else {
            throw Failure(description: "instead of a failure of order \(order) came \(message)")
        }
        return report.message
    }

    /// The next message, which must be a combine.
    func answer(_ flight: UInt64) throws -> [UInt8] {
        let message = try next()
        guard case .combine(flight, let bytes) = message else {
            throw Failure(description: "instead of the answer to \(flight) came \(message)")
        }
        return bytes
    }
}

extension ModelShape {
    init(_ config: ModelConfig) {
        self.init(
            expertCount: config.expertCount, expertsPerToken: config.expertsPerToken,
            expertWidth: config.expertIntermediateSize,
            layers: config.denseLayerCount..<config.layerCount + config.mtpLayerCount,
            block: config.quantization.map { Block(rows: $0.rows, columns: $0.columns) })
    }
}
