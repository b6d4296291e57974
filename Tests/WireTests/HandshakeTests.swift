import Testing
import Wire

@Suite struct HandshakeTests {
    private static let deadline = Instant(nanoseconds: 1_000)
    private static let now = Instant(nanoseconds: 10)
    private static let secret = ClusterSecret.random()
    private static let worker = WorkerDescription(
        name: "w0", memoryBytes: 1 << 34, coreCount: 8, kernelSet: "avx2", processID: 1)

    private static func coordinator(_ secret: ClusterSecret = secret) -> CoordinatorHandshake {
        CoordinatorHandshake(secret: secret, deadline: deadline)
    }

    private static func worker(_ secret: ClusterSecret = secret) -> WorkerHandshake {
        WorkerHandshake(secret: secret, worker: worker, deadline: deadline)
    }

    private static func challenge(
        _ coordinator: inout CoordinatorHandshake, _ hello: ControlMessage
    ) throws -> ControlMessage {
        guard case .send(let message) = try coordinator.receive(hello, at: now) else {
            throw HandshakeError.wrongSecret
        }
        return message
    }

    @Test("Two sides with one secret come to trust each other")
    func success() throws {
        var coordinator = Self.coordinator()
        var worker = Self.worker()
        let challenge = try Self.challenge(&coordinator, worker.hello)
        let proof = try worker.receive(challenge, at: Self.now)
        #expect(try coordinator.receive(proof, at: Self.now) == .accept(Self.worker))
    }

    @Test("A worker refuses a coordinator with another secret")
    func wrongCoordinator() throws {
        var coordinator = Self.coordinator(.random())
        var worker = Self.worker()
        let challenge = try Self.challenge(&coordinator, worker.hello)
        #expect(throws: HandshakeError.wrongSecret) { try worker.receive(challenge, at: Self.now) }
    }

    @Test("A coordinator refuses a proof made with another secret")
    func wrongWorker() throws {
        var coordinator = Self.coordinator()
        var worker = Self.worker()
        guard case .challenge(var challenge) = try Self.challenge(&coordinator, worker.hello) else { return }
        challenge.proof[31] ^= 1
        #expect(throws: HandshakeError.wrongSecret) { try worker.receive(.challenge(challenge), at: Self.now) }
        let proof = ControlMessage.proof(Proof(proof: challenge.proof, worker: Self.worker))
        #expect(throws: HandshakeError.wrongSecret) { try coordinator.receive(proof, at: Self.now) }
    }

    @Test("The coordinator's own proof, sent back to it, proves nothing")
    func reflection() throws {
        var coordinator = Self.coordinator()
        guard case .challenge(let challenge) = try Self.challenge(&coordinator, Self.worker().hello) else { return }
        let reflected = ControlMessage.proof(Proof(proof: challenge.proof, worker: Self.worker))
        #expect(throws: HandshakeError.wrongSecret) { try coordinator.receive(reflected, at: Self.now) }
    }

    @Test("A proof that was given to fetch experts does not pass for the coordinator's")
    func otherPurpose() throws {
        var source = CoordinatorHandshake(secret: Self.secret, purpose: .transfer, deadline: Self.deadline)
        var worker = Self.worker()
        let challenge = try Self.challenge(&source, worker.hello)
        #expect(throws: HandshakeError.wrongSecret) { try worker.receive(challenge, at: Self.now) }
    }

    @Test("A recorded handshake, played back, proves nothing")
    func replay() throws {
        var first = Self.coordinator()
        var worker = Self.worker()
        let hello = worker.hello
        let proof = try worker.receive(try Self.challenge(&first, hello), at: Self.now)
        _ = try first.receive(proof, at: Self.now)
        var second = Self.coordinator()
        _ = try Self.challenge(&second, hello)
        #expect(throws: HandshakeError.wrongSecret) { try second.receive(proof, at: Self.now) }
    }

    @Test("A proof under another name than the hello's is refused")
    func otherName() throws {
        var coordinator = Self.coordinator()
        var worker = Self.worker()
        guard
            case .proof(var proof) = try worker.receive(
                try Self.challenge(&coordinator, worker.hello), at: Self.now)
        else { return }
        proof.worker.name = "w1"
        #expect(throws: HandshakeError.nameChanged(from: "w0", to: "w1")) {
            try coordinator.receive(.proof(proof), at: Self.now)
        }
    }

    @Test("Another protocol version, an empty name, and a message out of turn are refused")
    func wrongHello() {
        var coordinator = Self.coordinator()
        #expect(throws: HandshakeError.wrongVersion(99)) {
            try coordinator.receive(.hello(Hello(protocolVersion: 99, name: "w", nonce: .random())), at: Self.now)
        }
        coordinator = Self.coordinator()
        #expect(throws: HandshakeError.emptyName) {
            try coordinator.receive(.hello(Hello(protocolVersion: 4, name: "", nonce: .random())), at: Self.now)
        }
        coordinator = Self.coordinator()
        #expect(throws: HandshakeError.unexpected(.heartbeat, expected: .hello)) {
            try coordinator.receive(.heartbeat, at: Self.now)
        }
        var worker = Self.worker()
        #expect(throws: HandshakeError.unexpected(.heartbeat, expected: .challenge)) {
            try worker.receive(.heartbeat, at: Self.now)
        }
    }

    @Test("After an error nothing is accepted any more")
    func overAfterError() throws {
        var coordinator = Self.coordinator()
        var worker = Self.worker()
        let proof = try worker.receive(try Self.challenge(&coordinator, worker.hello), at: Self.now)
        #expect(throws: HandshakeError.self) { try coordinator.receive(.heartbeat, at: Self.now) }
        #expect(throws: HandshakeError.self) { try coordinator.receive(proof, at: Self.now) }
    }

    @Test("What comes at the deadline or later is refused")
    func deadline() {
        var coordinator = Self.coordinator()
        let hello = Self.worker().hello
        #expect(throws: HandshakeError.timedOut) { try coordinator.receive(hello, at: Self.deadline) }
    }

    @Test("The peer's refusal is told in its words")
    func refusal() {
        var worker = Self.worker()
        #expect(throws: HandshakeError.refused("no room")) {
            try worker.receive(.failure(FailureReport(message: "no room", status: 1)), at: Self.now)
        }
    }
}
