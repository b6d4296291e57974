internal import Foundation
internal import Wire

/// The sending half of a socket: gathers frames into it, and keeps a copy of what it does not take at once.
struct Outbound: ~Copyable {
    enum Failure: Error {
        case congested(byteCount: Int)
        case system(Int32)
    }

    /// As many pieces as one sendmsg may gather (IOV_MAX).
    private static let gatherCount = 1024
    /// Small frames behind a queue share memory up to this size.
    private static let chunkByteCount = 64 << 10

    private let limit: Int
    private let vectors: UnsafeMutablePointer<iovec>
    private let headerBytes: UnsafeMutableRawPointer
    private var chunks: [[UInt8]] = []
    private var sentOfFirstChunk = 0
    private(set) var queuedByteCount = 0
    /// Wakes the exchange that holds the link, when output is left for it to send.
    var waker: Waker?
    /// Where tensor frames' payloads go instead of into the socket, as long as there is room.
    var lane: LaneWriter?

    /// `limit`: the most bytes to keep for a peer that does not take them.
    init(limit: Int) {
        self.limit = limit
        vectors = .allocate(capacity: Self.gatherCount)
        headerBytes = .allocate(byteCount: FrameHeader.byteCount, alignment: 16)
    }

    deinit {
        vectors.deallocate()
        headerBytes.deallocate()
    }

    /// Sends a frame, or what of it the socket takes now; the rest is queued. Nothing was sent when this throws
    /// `.congested`; the connection is of no use any more after `.system`.
    mutating func send(
        _ header: FrameHeader, _ segments: [UnsafeRawBufferPointer], to descriptor: Int32
    ) throws(Failure) {
        let byteCount = FrameHeader.byteCount + Int(header.payloadLength)
        guard queuedByteCount + byteCount <= limit else { throw .congested(byteCount: queuedByteCount) }
        var header = header
        var segments = segments
        if header.kind.isTensor, let location = lane?.put(segments) {
            header.location = location
            segments = []
        }
        header.encode(into: headerBytes)
        if queuedByteCount > 0 { try flush(to: descriptor) }
        var position = FramePosition(header: UnsafeRawBufferPointer(start: headerBytes, count: FrameHeader.byteCount))
        if queuedByteCount == 0 { try gather(segments, from: &position, to: descriptor) }
        queueRest(of: segments, from: position)
        if queuedByteCount > 0 { waker?.wake() }
    }

    /// Sends what the socket takes of the queue.
    mutating func flush(to descriptor: Int32) throws(Failure) {
        while let first = chunks.first {
            let sent = sentOfFirstChunk
            let outcome = first.withUnsafeBytes { bytes in
                SystemCall.run {
                    Foundation.send(descriptor, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
                }
            }
            switch outcome {
            case .wouldBlock: return
            case .failed(let number): throw .system(number)
            case .done(let count):
                queuedByteCount -= count
                sentOfFirstChunk += count
                guard sentOfFirstChunk == first.count else { continue }
                chunks.removeFirst()
                sentOfFirstChunk = 0
            }
        }
    }

    private func gather(
        _ segments: [UnsafeRawBufferPointer], from position: inout FramePosition, to descriptor: Int32
    ) throws(Failure) {
        while position.index <= segments.count {
            var message = msghdr()
            message.msg_iov = vectors
            message.msg_iovlen = position.fill(vectors, capacity: Self.gatherCount, from: segments)
            let isLast = position.index + message.msg_iovlen > segments.count
            let flags = Int32(MSG_NOSIGNAL) | (isLast ? 0 : Int32(MSG_MORE))
            switch SystemCall.run({ sendmsg(descriptor, &message, flags) }) {
            case .done(let count): position.advance(by: count, in: segments)
            case .wouldBlock: return
            case .failed(let number): throw .system(number)
            }
        }
    }

    private mutating func queueRest(of segments: [UnsafeRawBufferPointer], from position: FramePosition) {
        var position = position
        while position.index <= segments.count {
            let piece = position.piece(of: segments)
            queuedByteCount += piece.count
            if let last = chunks.indices.last, chunks[last].count + piece.count <= Self.chunkByteCount {
                chunks[last].append(contentsOf: piece)
            } else {
                chunks.append(Array(piece))
            }
            position.advance(by: piece.count, in: segments)
        }
    }
}
