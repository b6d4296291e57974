internal import Foundation

/// The writing end of a lane: puts payloads where the reader finds them, as long as there is room.
struct LaneWriter {
    private let lane: SharedLane
    private var space: PayloadSpace
    private var givenBackCount: UInt64 = 0
    /// Room that was lent for the next payload.
    private var lent: Int?

    init(_ lane: SharedLane) {
        self.lane = lane
        space = PayloadSpace(byteCount: lane.byteCount)
    }

    /// Room to put the next payload together in; nil: there is none.
    mutating func lend(byteCount: Int) -> UnsafeMutableRawPointer? {
        takeLentBack()
        lent = take(byteCount)
        return lent.map { lane.bytes(at: $0) }
    }

    /// Brings a payload into the lane, unless it was put together there.
    /// - Returns: its location in a frame's header; nil: there is no room, or nobody reads here.
    mutating func put(_ segments: [UnsafeRawBufferPointer]) -> UInt32? {
        if let lent, segments.count == 1, segments[0].baseAddress == UnsafeRawPointer(lane.bytes(at: lent)) {
            self.lent = nil
            return Self.location(of: lent)
        }
        takeLentBack()
        guard let start = take(segments.reduce(0) { $0 + $1.count }) else { return nil }
        var end = lane.bytes(at: start)
        for segment in segments {
            if let source = segment.baseAddress { memcpy(end, source, segment.count) }
            end += segment.count
        }
        return Self.location(of: start)
    }

    private mutating func take(_ byteCount: Int) -> Int? {
        guard lane.isOpen else { return nil }
        let count = lane.givenBackCount
        space.giveBack(Int(clamping: count &- givenBackCount))
        givenBackCount = count
        guard let start = space.take(byteCount), start / PayloadSpace.alignment < UInt32.max else { return nil }
        return start
    }

    private mutating func takeLentBack() {
        if lent != nil { space.giveLastBack() }
        lent = nil
    }

    private static func location(of start: Int) -> UInt32 { UInt32(start / PayloadSpace.alignment + 1) }
}
