/// How one value of a hidden row stands on the wire. The raw value is the byte in the header.
package enum WireDType: UInt8, Sendable, CaseIterable {
    case f32 = 0
    case bf16 = 1

    /// Bytes of one value.
    package var byteSize: Int {
        switch self {
        case .f32: 4
        case .bf16: 2
        }
    }
}
