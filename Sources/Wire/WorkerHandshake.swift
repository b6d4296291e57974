/// The worker's side of a handshake: says Hello, awaits Challenge, checks it and answers with Proof. No I/O; a thrown
/// error ends it, and the connection with it.
package struct WorkerHandshake: Sendable {
    private enum State {
        case awaitingChallenge
        case over
    }

    package let deadline: Instant
    private let secret: ClusterSecret
    private let purpose: HandshakePurpose
    private let worker: WorkerDescription
    private let nonce: Nonce
    private var state = State.awaitingChallenge

    /// `nonce` must not have been used before.
    package init(
        secret: ClusterSecret, purpose: HandshakePurpose = .join, worker: WorkerDescription,
        nonce: Nonce = .random(), deadline: Instant
    ) {
        self.secret = secret
        self.purpose = purpose
        self.worker = worker
        self.nonce = nonce
        self.deadline = deadline
    }

    /// The first frame to send.
    package var hello: ControlMessage {
        .hello(Hello(protocolVersion: HandshakeTranscript.protocolVersion, name: worker.name, nonce: nonce))
    }

    /// The proof to send in answer to `message`. The coordinator is who it says once this has returned; whether it
    /// accepts the worker shows in its next frame.
    package mutating func receive(
        _ message: ControlMessage, at now: Instant
    ) throws(HandshakeError) -> ControlMessage {
        let current = state
        state = .over
        guard now < deadline else { throw .timedOut }
        switch (current, message) {
        case (_, .failure(let report)): throw .refused(report.message)
        case (.awaitingChallenge, .challenge(let challenge)): return try proof(challenge)
        case (.awaitingChallenge, _): throw .unexpected(message.kind, expected: .challenge)
        case (.over, _): throw .unexpected(message.kind, expected: .assignment)
        }
    }

    private func proof(_ challenge: Challenge) throws(HandshakeError) -> ControlMessage {
        let transcript = HandshakeTranscript(
            purpose: purpose, workerName: worker.name, workerNonce: nonce, coordinatorNonce: challenge.nonce)
        guard transcript.isProof(challenge.proof, of: .coordinator, secret: secret) else { throw .wrongSecret }
        return .proof(Proof(proof: transcript.proof(of: .worker, secret: secret), worker: worker))
    }
}
