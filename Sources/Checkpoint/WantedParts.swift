internal import Foundation

/// Parts of mapped files that will be needed, collected so that neighbours are read together. Blocks of 2 MB that are
/// wanted as a whole become huge pages where the file system keeps such: they are read faster, mapped at once, and a
/// kernel that streams them waits less for page tables.
struct WantedParts {
    private var parts: [Range<UInt>] = []

    mutating func add(_ start: UnsafeRawPointer, byteCount: Int) {
        let first = UInt(bitPattern: start)
        if byteCount > 0 { parts.append(first..<first + UInt(byteCount)) }
    }

    /// Asks for the pages of a part alone, and does not wait for them.
    static func ask(for start: UnsafeRawPointer, byteCount: Int) {
        let first = UInt(bitPattern: start)
        advise(first..<first + UInt(byteCount), MADV_WILLNEED)
    }

    /// The parts in order of their addresses, those in one that next to nothing lies between.
    var joined: [Range<UInt>] {
        var result: [Range<UInt>] = []
        for part in parts.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, part.lowerBound <= last.upperBound + Self.widestGap {
                result[result.count - 1] = last.lowerBound..<max(last.upperBound, part.upperBound)
            } else {
                result.append(part)
            }
        }
        return result
    }

    /// Reads all parts that are not in memory yet, and maps them. What the system refuses comes when it is touched.
    ///
    /// Not on a `ThreadTeam`: that takes one loop at a time, and a worker reads what it is ordered to hold while its
    /// team computes. These threads wait for the disk, and sleep meanwhile.
    func read() {
        let pieces = joined.flatMap { part in
            Self.announce(part)
            return stride(from: part.lowerBound / Self.piece, through: (part.upperBound - 1) / Self.piece, by: 1)
                .map { part.clamped(to: $0 * Self.piece..<($0 + 1) * Self.piece) }
        }
        DispatchQueue.concurrentPerform(iterations: pieces.count) { Self.populate(pieces[$0]) }
    }

    /// Says which blocks are wanted as a whole; the pages around them are asked for one by one.
    private static func announce(_ part: Range<UInt>) {
        let first = (part.lowerBound + block - 1) / block * block
        let end = part.upperBound / block * block
        guard first < end else {
            advise(part, MADV_WILLNEED)
            return
        }
        advise(part.lowerBound..<first, MADV_WILLNEED)
        advise(first..<end, MADV_HUGEPAGE)
        advise(end..<part.upperBound, MADV_WILLNEED)
    }

    private static func populate(_ piece: Range<UInt>) {
        // Linux before 5.14 does not know it.
        if !advise(piece, MADV_POPULATE_READ) { advise(piece, MADV_WILLNEED) }
    }

    @discardableResult
    private static func advise(_ part: Range<UInt>, _ advice: some BinaryInteger) -> Bool {
        let pageSize = UInt(sysconf(Int32(_SC_PAGESIZE)))
        let first = part.lowerBound / pageSize * pageSize
        guard !part.isEmpty, let start = UnsafeMutableRawPointer(bitPattern: first) else { return true }
        return madvise(start, Int(part.upperBound - first), Int32(advice)) == 0
    }

    /// Scales and norms stand between the weights.
    private static let widestGap: UInt = 64 << 10
    /// The huge page of x86 and, mostly, of Arm.
    private static let block: UInt = 2 << 20
    /// What one thread reads at a time.
    private static let piece: UInt = 32 << 20
}
