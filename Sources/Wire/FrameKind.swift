/// What a frame carries. The raw value is the byte on the wire.
package enum FrameKind: UInt8, Sendable, CaseIterable {
    case hello = 1
    case challenge = 2
    case proof = 3
    case assignment = 4
    case progress = 5
    case ready = 6
    case failure = 7
    case goodbye = 8
    case heartbeat = 9
    case release = 10
    case dispatch = 64
    case combine = 65

    /// True for dispatch and combine, whose payload is raw rows; all others carry a control message.
    package var isTensor: Bool { self == .dispatch || self == .combine }
}
