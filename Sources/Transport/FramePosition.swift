internal import Foundation

/// A place in a frame that is being sent: piece 0 is the header, piece n the segment n - 1.
struct FramePosition {
    private let header: UnsafeRawBufferPointer
    /// The piece to go on with; one more than there are segments when all is sent.
    private(set) var index = 0
    private var offset = 0

    init(header: UnsafeRawBufferPointer) {
        self.header = header
    }

    /// What is left of the present piece.
    func piece(of segments: [UnsafeRawBufferPointer]) -> UnsafeRawBufferPointer {
        let whole = index == 0 ? header : segments[index - 1]
        return UnsafeRawBufferPointer(rebasing: whole[offset...])
    }

    /// Writes at most `capacity` vectors that begin here, and returns how many.
    func fill(_ vectors: UnsafeMutablePointer<iovec>, capacity: Int, from segments: [UnsafeRawBufferPointer]) -> Int {
        var position = self
        var count = 0
        while count < capacity, position.index <= segments.count {
            let piece = position.piece(of: segments)
            vectors[count] = iovec(
                iov_base: UnsafeMutableRawPointer(mutating: piece.baseAddress), iov_len: piece.count)
            count += 1
            position.index += 1
            position.offset = 0
        }
        return count
    }

    /// Moves on by `count` bytes, and past pieces without bytes.
    mutating func advance(by count: Int, in segments: [UnsafeRawBufferPointer]) {
        var count = count
        while index <= segments.count {
            let left = (index == 0 ? header.count : segments[index - 1].count) - offset
            guard count >= left else {
                offset += count
                return
            }
            count -= left
            index += 1
            offset = 0
        }
    }
}
