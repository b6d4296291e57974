/// The printable stand-ins that byte-level BPE files use for the 256 byte values, as GPT-2 introduced them: bytes that
/// print stand for themselves, the others take the code points from U+0100 on, in order.
struct ByteAlphabet: Sendable {
    /// Byte value -> code point.
    let scalars: [Unicode.Scalar]
    private let bytes: [Unicode.Scalar: UInt8]

    init() {
        var scalars: [Unicode.Scalar] = []
        var nextStandIn = UInt16(0x100)
        for byte in UInt8.min...UInt8.max {
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF:
                scalars.append(Unicode.Scalar(byte))
            default:
                scalars.append(Unicode.Scalar(nextStandIn) ?? "\u{FFFD}")
                nextStandIn += 1
            }
        }
        self.scalars = scalars
        var bytes: [Unicode.Scalar: UInt8] = [:]
        for (byte, scalar) in scalars.enumerated() { bytes[scalar] = UInt8(byte) }
        self.bytes = bytes
    }

    /// Whether `token` is written in this alphabet alone.
    func contains(_ token: String) -> Bool {
        token.unicodeScalars.allSatisfy { bytes[$0] != nil }
    }

    /// The bytes that a token of the file stands for. A token with a character outside the alphabet (most added tokens)
    /// stands for its own UTF-8.
    func bytes(of token: String) -> [UInt8] {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(token.utf8.count)
        for scalar in token.unicodeScalars {
            guard let byte = bytes[scalar] else { return Array(token.utf8) }
            decoded.append(byte)
        }
        return decoded
    }
}
