/// Candidate merges, the one of lowest rank first and of those the leftmost.
struct MergeHeap {
    private var keys: [UInt64] = []

    mutating func removeAll() {
        keys.removeAll(keepingCapacity: true)
    }

    mutating func insert(rank: Int32, position: Int32) {
        keys.append(UInt64(UInt32(bitPattern: rank)) << 32 | UInt64(UInt32(bitPattern: position)))
        var child = keys.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard keys[child] < keys[parent] else { return }
            keys.swapAt(child, parent)
            child = parent
        }
    }

    mutating func popFirst() -> (rank: Int32, position: Int32)? {
        guard let first = keys.first, let last = keys.popLast() else { return nil }
        if !keys.isEmpty {
            keys[0] = last
            sink()
        }
        return (Int32(truncatingIfNeeded: first >> 32), Int32(truncatingIfNeeded: first))
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var smallest = parent
            let left = 2 * parent + 1
            if left < keys.count, keys[left] < keys[smallest] { smallest = left }
            if left + 1 < keys.count, keys[left + 1] < keys[smallest] { smallest = left + 1 }
            guard smallest != parent else { return }
            keys.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
