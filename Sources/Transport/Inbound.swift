internal import Foundation
internal import Wire

/// The receiving half of a socket: one buffer that grows only for frames whose header was accepted, and is kept.
struct Inbound: ~Copyable {
    enum Outcome {
        /// The socket has no more for now.
        case empty
        /// The handler wants no more from this link.
        case stopped
        case closed(CloseReason)
    }

    /// Enough for a decode step of a few sequences; no peer gets more before its header was accepted.
    private static let initialByteCount = 64 << 10
    /// Other links get their turn after so many bytes.
    private static let turnByteCount = 4 << 20
    /// A frame that starts here has its payload on a cache line.
    private static let origin = 16
    private static let alignment = 16

    private var buffer: UnsafeMutableRawBufferPointer
    private var start = Self.origin
    private var end = Self.origin
    /// The header at `start`, once it is there.
    private var header: FrameHeader?
    private var framesIn: UInt64 = 0
    /// Bytes that have come, of whole frames or not.
    private(set) var bytesIn: UInt64 = 0

    init() {
        buffer = .allocate(byteCount: Self.initialByteCount, alignment: 64)
    }

    deinit {
        buffer.deallocate()
    }

    /// True while a frame has begun and not ended.
    var isInsideFrame: Bool { end > start }

    /// Delivers the frames that are here, and reads on while the socket has more. `deliver` returns false to stop.
    /// - Parameters:
    ///   - limit: the longest payload.
    ///   - lane: where payloads are that do not follow their headers.
    mutating func receive(
        from descriptor: Int32, limit: () -> Int, lane: () -> LaneReader?,
        _ deliver: (FrameHeader, UnsafeRawBufferPointer) -> Bool
    ) -> Outcome {
        var left = Self.turnByteCount
        while true {
            let framesBefore = framesIn
            if let outcome = deliverWhole(limit, lane, deliver) { return outcome }
            let isDone = framesIn > framesBefore && !isInsideFrame
            if isDone || left <= 0 { return .empty }
            makeRoom()
            let room = min(buffer.count - end, left)
            let destination = buffer.baseAddress! + end
            switch SystemCall.run({ recv(descriptor, destination, room, Int32(MSG_DONTWAIT)) }) {
            case .wouldBlock: return .empty
            case .failed(let number): return .closed(Self.reason(number))
            case .done(0): return .closed(isInsideFrame ? .peerClosedInsideFrame : .peerClosed)
            case .done(let count):
                end += count
                left -= count
                bytesIn += UInt64(count)
            }
        }
    }

    private static func reason(_ number: Int32) -> CloseReason {
        number == ECONNRESET
            ? .peerClosed
            : .failed(TransportError.system("recv", number, place: "the connection"))
    }

    /// Nil when no whole frame is left in the buffer.
    private mutating func deliverWhole(
        _ limit: () -> Int, _ lane: () -> LaneReader?, _ deliver: (FrameHeader, UnsafeRawBufferPointer) -> Bool
    ) -> Outcome? {
        while end - start >= FrameHeader.byteCount {
            let header: FrameHeader
            do throws(FrameError) {
                header = if let known = self.header { known } else { try decodeHeader(limit: limit()) }
            } catch {
                return .closed(.badFrame(error))
            }
            let byteCount = Self.byteCount(of: header)
            guard end - start >= byteCount else {
                self.header = header
                return nil
            }
            let lane = header.location > 0 ? lane() : nil
            let payload: UnsafeRawBufferPointer
            if header.location == 0 {
                payload = alignedPayload(of: header)
            } else if let found = lane?.begin(header) {
                payload = found
                bytesIn += header.payloadLength
            } else {
                return .closed(.badFrame(.outsideMemory(location: header.location, byteCount: header.payloadLength)))
            }
            self.header = nil
            start += byteCount
            framesIn += 1
            defer { lane?.finish() }
            if !deliver(header, payload) { return .stopped }
        }
        return nil
    }

    private func decodeHeader(limit: Int) throws(FrameError) -> FrameHeader {
        try FrameHeader(decoding: UnsafeRawBufferPointer(rebasing: buffer[start..<end]), maximumPayload: limit)
    }

    /// Of a frame on the connection.
    private static func byteCount(of header: FrameHeader) -> Int {
        FrameHeader.byteCount + (header.location > 0 ? 0 : Int(header.payloadLength))
    }

    /// A frame behind another may start anywhere; its payload is moved down over bytes already delivered.
    private func alignedPayload(of header: FrameHeader) -> UnsafeRawBufferPointer {
        let found = buffer.baseAddress! + start + FrameHeader.byteCount
        let aligned = found - start % Self.alignment
        let count = Int(header.payloadLength)
        if aligned != found { memmove(aligned, found, count) }
        return UnsafeRawBufferPointer(start: aligned, count: count)
    }

    /// Moves the frame that has begun to the front, and makes the buffer as large as it needs.
    private mutating func makeRoom() {
        let present = end - start
        let needed = header.map { Self.byteCount(of: $0) } ?? FrameHeader.byteCount
        let source = buffer.baseAddress! + start
        if Self.origin + needed > buffer.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.origin + needed, alignment: 64)
            memcpy(larger.baseAddress! + Self.origin, source, present)
            buffer.deallocate()
            buffer = larger
        } else if start != Self.origin {
            memmove(buffer.baseAddress! + Self.origin, source, present)
        }
        start = Self.origin
        end = Self.origin + present
    }
}
