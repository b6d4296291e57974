/// 32 random bytes, used once: what makes the proofs of one connection worthless on another.
package struct Nonce: Sendable, Hashable {
    package let bytes: [UInt8]

    /// `bytes` must be 32.
    package init(bytes: [UInt8]) {
        precondition(bytes.count == WireLimit.nonceBytes)
        self.bytes = bytes
    }

    package static func random() -> Nonce {
        Nonce(bytes: SecureBytes.random(count: WireLimit.nonceBytes))
    }
}
