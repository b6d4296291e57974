/// What both sides have said before they prove the secret. A proof is the authentication code of all of it under the
/// prover's role and the purpose, so that neither a recorded proof nor the other side's own can be played back, nor one
/// that was given for another purpose.
struct HandshakeTranscript: Sendable {
    static let protocolVersion = 4

    /// Who proves: the side that was dialled, or the worker that dials.
    enum Role: String {
        case coordinator
        case worker
    }

    let purpose: HandshakePurpose
    let workerName: String
    let workerNonce: Nonce
    let coordinatorNonce: Nonce

    func proof(of role: Role, secret: ClusterSecret) -> [UInt8] {
        secret.authenticationCode(for: message(role))
    }

    func isProof(_ proof: [UInt8], of role: Role, secret: ClusterSecret) -> Bool {
        secret.isValid(proof, for: message(role))
    }

    /// Every part with its length before it: no two transcripts make the same message.
    private func message(_ role: Role) -> [UInt8] {
        let version = withUnsafeBytes(of: UInt32(Self.protocolVersion).littleEndian) { Array($0) }
        let parts = [
            Array("cohort \(purpose.rawValue): \(role.rawValue)".utf8), version, Array(workerName.utf8),
            workerNonce.bytes, coordinatorNonce.bytes,
        ]
        return parts.flatMap { part in
            withUnsafeBytes(of: UInt32(part.count).littleEndian) { Array($0) } + part
        }
    }
}
