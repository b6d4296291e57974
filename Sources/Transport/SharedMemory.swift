internal import CSockets
internal import Foundation

/// Memory that two processes on one host share, with a lane for each direction: what large payloads cost beyond one
/// copy is saved. One process makes it, and tells the other by a connection where it is.
package final class SharedMemory: Sendable {
    private static let headByteCount = 4096
    private static let alignment = 4096
    /// Where the bytes of the maker's and of the opener's lane are written down.
    private static let sizesAt = 0
    private static let controlsAt = 256

    private let file: Descriptor
    private nonisolated(unsafe) let bytes: UnsafeMutableRawBufferPointer
    /// What this side sends.
    nonisolated(unsafe) let outbound: SharedLane
    let inbound: LaneReader

    /// - Parameters: bytes that may be under way at once, at least; memory is taken as it is used.
    /// - Throws: `TransportError` when the system gives none.
    package init(sending: Int, receiving: Int) throws(TransportError) {
        let sizes = [sending, receiving].map { ($0 + Self.alignment - 1) / Self.alignment * Self.alignment }
        let count = Self.headByteCount + sizes[0] + sizes[1]
        let number = cohort_memory(count)
        guard number >= 0 else {
            throw Self.cannot("made", errno, place: "this process", mend: "raise its limits (ulimit -f, ulimit -n)")
        }
        file = Descriptor(owning: number)
        bytes = try Self.map(number, count, place: "this process")
        bytes.baseAddress!.storeBytes(of: UInt64(sizes[0]), toByteOffset: Self.sizesAt, as: UInt64.self)
        bytes.baseAddress!.storeBytes(of: UInt64(sizes[1]), toByteOffset: Self.sizesAt + 8, as: UInt64.self)
        outbound = Self.lane(0, sizes, of: bytes)
        inbound = LaneReader(Self.lane(1, sizes, of: bytes))
    }

    /// - Parameter path: as its maker names it.
    /// - Throws: `TransportError` when it cannot be opened from here, or is something else.
    package init(opening path: String) throws(TransportError) {
        let number = Foundation.open(path, O_RDWR | O_CLOEXEC)
        guard number >= 0 else {
            throw Self.cannot("opened", errno, place: path, mend: "let this process see the coordinator's in /proc")
        }
        file = Descriptor(owning: number)
        var status = stat()
        guard cohort_keeps_size(number) == 1, fstat(number, &status) == 0, status.st_size >= Self.headByteCount else {
            throw Self.isOther(path)
        }
        let bytes = try Self.map(number, Int(status.st_size), place: path)
        self.bytes = bytes
        let sizes = [0, 8].map { bytes.load(fromByteOffset: Self.sizesAt + $0, as: UInt64.self) }
        let room = UInt64(bytes.count - Self.headByteCount)
        guard sizes[0] <= room, sizes[1] == room - sizes[0] else {
            munmap(bytes.baseAddress, bytes.count)
            throw Self.isOther(path)
        }
        outbound = Self.lane(1, sizes.map { Int($0) }, of: bytes)
        inbound = LaneReader(Self.lane(0, sizes.map { Int($0) }, of: bytes))
    }

    deinit { munmap(bytes.baseAddress, bytes.count) }

    /// Where a process of the same user on this host can open it, as long as this one lives.
    package var path: String { "/proc/\(getpid())/fd/\(file.number)" }

    private static func map(
        _ number: Int32, _ count: Int, place: String
    ) throws(TransportError) -> UnsafeMutableRawBufferPointer {
        let start = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_SHARED, number, 0)
        guard let start, start != MAP_FAILED else {
            throw cannot("mapped", errno, place: place, mend: "raise the limit of its memory (ulimit -v)")
        }
        return UnsafeMutableRawBufferPointer(start: start, count: count)
    }

    private static func lane(_ index: Int, _ sizes: [Int], of bytes: UnsafeMutableRawBufferPointer) -> SharedLane {
        let start = headByteCount + (index == 0 ? 0 : sizes[0])
        return SharedLane(
            control: bytes.baseAddress! + controlsAt + index * SharedLane.controlByteCount,
            payloads: UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + sizes[index]]))
    }

    private static func cannot(_ done: String, _ number: Int32, place: String, mend: String) -> TransportError {
        TransportError(
            kind: .system, what: "shared memory cannot be \(done): \(SystemCall.text(number))", place: place, mend: mend
        )
    }

    private static func isOther(_ path: String) -> TransportError {
        TransportError(
            kind: .system, what: "this is not memory of a coordinator", place: path,
            mend: "run the same release in both processes")
    }
}
