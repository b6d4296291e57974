internal import CSockets
internal import Wire

/// One direction of a `SharedMemory`: room for payloads, and two words by which the reader tells the writer how far it
/// is. Where a payload lies goes with its header over the connection, which also orders what either side does here.
struct SharedLane {
    /// What the words take, each on cache lines of its own.
    static let controlByteCount = 256

    private let isOpenWord: UnsafeMutablePointer<UInt64>
    private let givenBackWord: UnsafeMutablePointer<UInt64>
    private let payloads: UnsafeMutableRawBufferPointer

    /// - Parameters:
    ///   - control: `controlByteCount` bytes, zeros at first.
    ///   - payloads: room for payloads, on a cache line.
    init(control: UnsafeMutableRawPointer, payloads: UnsafeMutableRawBufferPointer) {
        isOpenWord = control.assumingMemoryBound(to: UInt64.self)
        givenBackWord = (control + Self.controlByteCount / 2).assumingMemoryBound(to: UInt64.self)
        self.payloads = payloads
    }

    var byteCount: Int { payloads.count }
}

// The reader's end.
extension SharedLane {
    /// Tells the writer that it may send payloads this way.
    func open() { cohort_store(isOpenWord, 1) }

    /// The payload that a header tells of; nil where that is not in this memory.
    func payload(of header: FrameHeader) -> UnsafeRawBufferPointer? {
        let start = (Int(header.location) - 1) * PayloadSpace.alignment
        guard start >= 0, start <= byteCount, header.payloadLength <= UInt64(byteCount - start) else { return nil }
        return UnsafeRawBufferPointer(rebasing: payloads[start..<start + Int(header.payloadLength)])
    }

    /// Gives back the payloads that were sent first of those that are not given back.
    func giveBack(_ count: UInt64) { cohort_store(givenBackWord, cohort_load(givenBackWord) &+ count) }
}

// The writer's end.
extension SharedLane {
    var isOpen: Bool { cohort_load(isOpenWord) == 1 }

    /// How many payloads have been given back since the beginning.
    var givenBackCount: UInt64 { cohort_load(givenBackWord) }

    func bytes(at start: Int) -> UnsafeMutableRawPointer { payloads.baseAddress! + start }
}
