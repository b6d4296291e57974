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
    case fetch = 11
    case slice = 12
    case read = 13
    case dispatch = 64
    case combine = 65
    case chunk = 66

    /// True for dispatch, combine and chunk, whose payload is raw numbers; all others carry a control message.
    package var isTensor: Bool { self == .dispatch || self == .combine || self == .chunk }
}
