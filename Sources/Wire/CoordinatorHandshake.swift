/// The side of a handshake that was dialled, be it a coordinator or a worker that has experts to give: awaits Hello,
/// answers with Challenge, awaits Proof. No I/O; a thrown error ends it, and the connection with it.
package struct CoordinatorHandshake: Sendable {
    private enum State {
        case awaitingHello
        case awaitingProof(HandshakeTranscript)
        case over
    }

    package enum Action: Sendable, Equatable {
        case send(ControlMessage)
        /// The worker is who it says: it knows the secret.
        case accept(WorkerDescription)
    }

    package let deadline: Instant
    private let secret: ClusterSecret
    private let purpose: HandshakePurpose
    private let nonce: Nonce
    private var state = State.awaitingHello

    /// `nonce` must not have been used before.
    package init(
        secret: ClusterSecret, purpose: HandshakePurpose = .join, nonce: Nonce = .random(), deadline: Instant
    ) {
        self.secret = secret
        self.purpose = purpose
        self.nonce = nonce
        self.deadline = deadline
    }

    package mutating func receive(
        _ message: ControlMessage, at now: Instant
    ) throws(HandshakeError) -> Action {
        let current = state
        state = .over
        guard now < deadline else { throw .timedOut }
        switch (current, message) {
        case (_, .failure(let report)): throw .refused(report.message)
        case (.awaitingHello, .hello(let hello)): return .send(.challenge(try challenge(hello)))
        case (.awaitingHello, _): throw .unexpected(message.kind, expected: .hello)
        case (.awaitingProof(let transcript), .proof(let proof)): return .accept(try check(proof, transcript))
        case (.awaitingProof, _), (.over, _): throw .unexpected(message.kind, expected: .proof)
        }
    }

    private mutating func challenge(_ hello: Hello) throws(HandshakeError) -> Challenge {
        guard hello.protocolVersion == HandshakeTranscript.protocolVersion else {
            throw .wrongVersion(hello.protocolVersion)
        }
        guard !hello.name.isEmpty else { throw .emptyName }
        let transcript = HandshakeTranscript(
            purpose: purpose, workerName: hello.name, workerNonce: hello.nonce, coordinatorNonce: nonce)
        state = .awaitingProof(transcript)
        return Challenge(nonce: nonce, proof: transcript.proof(of: .coordinator, secret: secret))
    }

    private func check(_ proof: Proof, _ transcript: HandshakeTranscript) throws(HandshakeError) -> WorkerDescription {
        guard transcript.isProof(proof.proof, of: .worker, secret: secret) else { throw .wrongSecret }
        guard proof.worker.name == transcript.workerName else {
            throw .nameChanged(from: transcript.workerName, to: proof.worker.name)
        }
        return proof.worker
    }
}
