internal import Foundation

/// Zeroed memory at a 64-byte boundary, freed with its last reference. Whoever shares it between threads sees to it
/// that nobody writes what another reads.
package final class AlignedBuffer<Element: BitwiseCopyable>: Sendable {
    package nonisolated(unsafe) let pointer: UnsafeMutablePointer<Element>
    package let count: Int
    private let mappedByteCount: Int

    /// A page of the kernel's own making: from here on memory is mapped, page by page when first touched (so it lands
    /// near the thread that fills it), with huge pages where the system grants them.
    private static var hugePageByteCount: Int { 2 << 20 }

    package init(count: Int) {
        precondition(count >= 0, "a buffer holds no less than nothing")
        let byteCount = max(count * MemoryLayout<Element>.stride, 64)
        mappedByteCount = byteCount < Self.hugePageByteCount ? 0 : byteCount
        let memory = mappedByteCount > 0 ? Self.map(byteCount) : Self.allocate(byteCount)
        pointer = memory.bindMemory(to: Element.self, capacity: count)
        self.count = count
    }

    deinit {
        if mappedByteCount > 0 {
            munmap(pointer, mappedByteCount)
        } else {
            free(pointer)
        }
    }

    /// Has all pages made before several threads write: those that touch one huge page at once would each clear one.
    func populate(on team: ThreadTeam) {
        guard mappedByteCount > 0 else { return }
        let block = UInt(Self.hugePageByteCount)
        let all = UInt(bitPattern: pointer)..<UInt(bitPattern: pointer) + UInt(mappedByteCount)
        let first = all.lowerBound / block
        team.forEach(Int((all.upperBound + block - 1) / block - first)) { index in
            let start = (first + UInt(index)) * block
            let part = all.clamped(to: start..<start + block)
            // Linux before 5.14 does not know it, and makes pages when they are touched.
            madvise(UnsafeMutableRawPointer(bitPattern: part.lowerBound), part.count, Int32(MADV_POPULATE_WRITE))
        }
    }

    /// Gives the memory of some bytes back, as far as whole pages lie inside; they read as zeros afterwards, or as they
    /// were.
    func discard(_ bytes: Range<Int>) {
        guard mappedByteCount > 0 else { return }
        let page = UInt(sysconf(Int32(_SC_PAGESIZE)))
        let base = UInt(bitPattern: pointer)
        let first = (base + UInt(bytes.lowerBound) + page - 1) / page * page
        let end = (base + UInt(bytes.upperBound)) / page * page
        if first < end { madvise(UnsafeMutableRawPointer(bitPattern: first), Int(end - first), MADV_DONTNEED) }
    }

    private static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
        var memory: UnsafeMutableRawPointer?
        guard posix_memalign(&memory, 64, byteCount) == 0, let memory else {
            preconditionFailure("out of memory: \(byteCount) bytes")
        }
        memset(memory, 0, byteCount)
        return memory
    }

    private static func map(_ byteCount: Int) -> UnsafeMutableRawPointer {
        let memory = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED else { preconditionFailure("out of memory: \(byteCount) bytes") }
        madvise(memory, byteCount, Int32(MADV_HUGEPAGE))
        return memory
    }
}
