internal import Foundation
internal import Kernels
internal import Logging
internal import Transport
internal import Wire

// From the dial to the assignment.
extension WorkerService {
    /// Dials until the coordinator answers. nil when stopped meanwhile.
    /// - Parameter isReturning: the coordinator was there a moment ago; a network that comes back is to be seen soon.
    func dial(until deadline: Instant, isReturning: Bool) throws -> (any Link)? {
        var pause = Reconnection.firstPause
        let limit = isReturning ? Self.redialLimit : Self.dialLimit
        while !isStopped {
            do {
                return try TCPLink.connect(
                    host: options.host, port: options.port, deadline: min(deadline, time.now() + limit),
                    time: time)
            } catch {
                guard time.now() + pause < deadline else { throw error }
                logger.info("coordinator does not answer", metadata: ["reason": "\(error)"])
                rest(pause)
                pause = min(pause * 2, isReturning ? Self.longestReturningPause : Self.longestPause)
            }
        }
        return nil
    }

    func shakeHands(_ link: any Link, fingerprint: [UInt8]) throws {
        let deadline = time.now() + Self.handshakeLimit
        var handshake = WorkerHandshake(
            secret: secret, worker: description(fingerprint: fingerprint), deadline: deadline)
        try link.send(handshake.hello)
        guard let challenge = try receive(link, until: deadline, waitingFor: "challenge") else { return }
        try link.send(try handshake.receive(challenge, at: time.now()))
        link.maximumPayload = WireLimit.controlPayload
    }

    func description(fingerprint: [UInt8]) -> WorkerDescription {
        WorkerDescription(
            name: options.name, memoryBytes: options.memoryBytes, coreCount: options.threads,
            kernelSet: KernelSet.available()[0].name, modelPath: options.modelPath ?? "",
            modelFingerprint: fingerprint, processID: Int(getpid()))
    }

    /// nil when stopped, or sent away kindly.
    func receiveAssignment(_ link: any Link) throws -> Assignment? {
        let message = try receive(link, until: time.now() + Self.handshakeLimit, waitingFor: "assignment")
        switch message {
        case nil, .goodbye: return nil
        case .assignment(let assignment): return assignment
        case .failure(let report): throw WorkerError.refused(reason: report.message, status: report.status)
        case .some(let other): throw WorkerError.unexpected(peer: link.peer, what: "a \(other.kind) message")
        }
    }

    /// Opens the memory that a coordinator on this host has made; without it all goes over the connection.
    func shareMemory(of assignment: Assignment, on link: any Link) {
        guard !assignment.memoryPath.isEmpty else { return }
        do {
            link.share(try SharedMemory(opening: assignment.memoryPath))
        } catch {
            logger.warning(
                "no memory is shared with the coordinator, all goes over the connection",
                metadata: ["reason": "\(error)"])
        }
    }

    /// One control message. nil when stopped.
    private func receive(_ link: any Link, until deadline: Instant, waitingFor: String) throws -> ControlMessage? {
        var received: Result<ControlMessage, any Error>?
        while received == nil {
            guard !isStopped else { return nil }
            guard time.now() < deadline else {
                throw WorkerError.silentCoordinator(peer: link.peer, waitedFor: waitingFor)
            }
            _ = exchange.wait(until: deadline, spin: .zero) { event in
                switch event {
                case .accepted: break
                case .closed(let link, let reason):
                    received = .failure(WorkerError.lostCoordinator(peer: link.peer, reason: reason.description))
                case .frame(_, let header, let payload):
                    guard received == nil else { return }
                    received = Result { try Self.message(header, payload, on: link) }
                }
            }
        }
        return try received?.get()
    }

    /// What the coordinator says.
    /// - Throws: `WorkerError.unexpected` when it cannot be read.
    static func message(
        _ header: FrameHeader, _ payload: UnsafeRawBufferPointer, on link: any Link
    ) throws(WorkerError) -> ControlMessage {
        do throws(ControlError) {
            return try ControlMessage(kind: header.kind, payload: payload)
        } catch {
            throw .unexpected(peer: link.peer, what: "a \(header.kind) message that cannot be read (\(error))")
        }
    }

    private static let longestPause = Duration.seconds(5)
    private static let longestReturningPause = Duration.seconds(1)
    private static let dialLimit = Duration.seconds(10)
    private static let redialLimit = Duration.seconds(2)
    private static let handshakeLimit = Duration.seconds(20)
}
