/// How the numbers of a hidden row stand on the wire. The raw value is the byte in the header.
package enum WireDType: UInt8, Sendable, CaseIterable {
    case f32 = 0
    case bf16 = 1
    /// e4m3 codes behind an f32 scale for each 128 of them.
    case fp8 = 2

    /// In FP8, the values that share a scale.
    package static let blockSize = 128

    /// Bytes of a row of so many values. In FP8 the scales come first, then the codes, filled up to four bytes.
    package func byteCount(values: Int) -> Int {
        switch self {
        case .f32: 4 * values
        case .bf16: 2 * values
        case .fp8: (values + Self.blockSize - 1) / Self.blockSize * 4 + (values + 3) / 4 * 4
        }
    }

    /// How the answers to rows of this dtype come back: sums have no use for eight bits.
    package var answer: WireDType {
        switch self {
        case .f32: .f32
        case .bf16, .fp8: .bf16
        }
    }
}
