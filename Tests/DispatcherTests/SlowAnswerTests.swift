import Cluster
import Dispatcher
import Experts
import Foundation
import Kernels
import Logging
import TestSupport
import Testing
import Transport
import Wire

/// An answer that is long under way.
@Suite struct SlowAnswerTests {
    @Test("a worker whose answer comes bit by bit is not taken for silent")
    func bitByBit() throws {
        let shape = RowShape(hiddenSize: 64, dtype: .f32)
        let listener = try TCPListener(host: "127.0.0.1", port: 0)
        let door = try TCPExchange(listener: listener)
        let worker = try RawSocket(port: listener.port)
        var accepted: (any Link)?
        while accepted == nil {
            _ = door.wait(until: MonotonicTime().now() + .seconds(10), spin: .zero) { event in
                if case .accepted(let link) = event { accepted = link }
            }
        }
        let link = try #require(accepted)
        door.remove(link)
        let experts = try experts(link, shape)
        Thread.detachNewThread { Self.answer(worker, shape) }
        let routing = Routing(maximumTokens: 1, expertsPerToken: 1)
        routing.begin(tokens: 1)
        routing.experts[0] = 0
        routing.weights[0] = 1
        let (hidden, output) = (AlignedBuffer<Float>(count: 64), AlignedBuffer<Float>(count: 64))
        try withExtendedLifetime((hidden, output)) {
            let flight = try experts.dispatch(hidden.pointer, to: routing, layer: 1)
            try experts.combine(flight, into: output.pointer)
            #expect((0..<64).allSatisfy { output.pointer[$0] == 1.5 })
        }
    }

    /// Sends 1.5 in every place, a piece every tenth of a second, over twice the limit on silence.
    private static func answer(_ socket: RawSocket, _ shape: RowShape) {
        let question = socket.read(FrameHeader.byteCount)
        let reply = question.withUnsafeBytes { bytes -> [UInt8] in
            guard let header = try? FrameHeader(decoding: bytes, maximumPayload: 1 << 20) else { return [] }
            _ = socket.read(Int(header.payloadLength))
            var reply = [UInt8](repeating: 0, count: FrameHeader.byteCount)
            reply.withUnsafeMutableBytes { place in
                guard let start = place.baseAddress else { return }
                CombineBody.header(answering: header, shape: shape, elapsedMicroseconds: 1).encode(into: start)
            }
            return reply
        }
        let row = [Float](repeating: 1.5, count: shape.hiddenSize)
        let bytes = reply + row.withUnsafeBytes { Array($0) }
        for first in stride(from: 0, to: bytes.count, by: 20) {
            socket.write(Array(bytes[first..<min(first + 20, bytes.count)]))
            usleep(100_000)
        }
    }

    private func experts(_ link: any Link, _ shape: RowShape) throws -> RemoteExperts {
        let placement = try Placement.uniform(
            layers: [1], experts: 1, parallelism: Parallelism(tensor: 1, pipeline: 1, workers: 1), workerWeights: [1])
        let seat = WorkerSeat(
            name: "worker-0",
            assignment: Assignment(
                epoch: 0, modelPath: "/model", modelFingerprint: [], compute: "f32", rowShape: shape,
                tensorParallelSize: 1, maximumRows: 1, slots: [],
                model: ModelShape(expertCount: 1, expertsPerToken: 1, expertWidth: 8, layers: 1..<2, block: nil)),
            weightBytes: 0)
        let ready = ReadyWorker(
            seat: seat, link: link,
            description: WorkerDescription(
                name: "worker-0", memoryBytes: 1, coreCount: 1, kernelSet: "scalar", processID: 1),
            report: ReadyReport(loadedBytes: 0, residentBytes: 0, expertSlots: 1))
        var limits = RemoteExperts.Limits()
        limits.silence = .milliseconds(800)
        limits.recovery = .seconds(1)
        let time = MonotonicTime()
        return RemoteExperts(
            workers: [ready], placement: placement,
            control: ControlPlane(
                placement: placement,
                members: [Member(name: "worker-0", index: 0, stage: 0, state: .ready, offer: .init(slots: 1))],
                sliceBytes: [1], statistics: LoadStatistics(layers: [1], experts: 1), at: time.now().sinceOrigin),
            exchange: try TCPExchange(), arrivals: Arrivals {}, time: time,
            processor: Processor(threads: 1, compute: .f32), shape: shape, expertsPerToken: 1, maximumTokens: 1,
            sliceBytes: [1], limits: limits, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
}
