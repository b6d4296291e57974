/// Byte-pair encoding of one piece of text: its bytes as tokens, then the merges of lowest rank first, leftmost first.
/// O(n log n) in the length of the piece.
struct BytePairEncoder: Sendable {
    private let byteIDs: [Int32]
    /// left id << 32 | right id -> rank.
    private let ranks: [UInt64: Int32]
    /// Rank -> id of the merged token.
    private let mergedIDs: [Int32]

    /// Arrays of one call of `encode`, kept for the next.
    struct Workspace {
        fileprivate var ids: [Int32] = []
        fileprivate var next: [Int32] = []
        fileprivate var previous: [Int32] = []
        fileprivate var heap = MergeHeap()
    }

    /// - Parameters:
    ///   - byteIDs: [256] the token of each byte value.
    ///   - merges: by rank; a pair that occurs twice keeps its last rank.
    init(byteIDs: [Int32], merges: [(left: Int32, right: Int32, merged: Int32)]) {
        precondition(byteIDs.count == 256)
        self.byteIDs = byteIDs
        mergedIDs = merges.map(\.merged)
        var ranks: [UInt64: Int32] = [:]
        ranks.reserveCapacity(merges.count)
        for (rank, merge) in merges.enumerated() { ranks[Self.key(merge.left, merge.right)] = Int32(rank) }
        self.ranks = ranks
    }

    /// The tokens of `piece`.
    func encode(_ piece: some Collection<UInt8>, in workspace: inout Workspace) -> [Int32] {
        workspace.ids.removeAll(keepingCapacity: true)
        for byte in piece { workspace.ids.append(byteIDs[Int(byte)]) }
        link(&workspace)
        while let candidate = workspace.heap.popFirst() { merge(candidate, in: &workspace) }
        return workspace.ids.filter { $0 != Self.mergedAway }
    }

    private static let mergedAway = Int32(-1)

    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    private func link(_ workspace: inout Workspace) {
        let count = Int32(workspace.ids.count)
        workspace.next = Array(1..<count + 1)
        workspace.previous = Array(-1..<count - 1)
        workspace.heap.removeAll()
        for position in 0..<count { push(position, in: &workspace) }
    }

    private func push(_ position: Int32, in workspace: inout Workspace) {
        let next = Int(workspace.next[Int(position)])
        guard next < workspace.ids.count,
            let rank = ranks[Self.key(workspace.ids[Int(position)], workspace.ids[next])]
        else { return }
        workspace.heap.insert(rank: rank, position: position)
    }

    /// Merges at the candidate's position, unless an earlier merge took one of its two tokens away.
    private func merge(_ candidate: (rank: Int32, position: Int32), in workspace: inout Workspace) {
        let position = Int(candidate.position)
        let left = workspace.ids[position]
        let right = Int(workspace.next[position])
        let merged = mergedIDs[Int(candidate.rank)]
        guard left != Self.mergedAway, right < workspace.ids.count,
            let rank = ranks[Self.key(left, workspace.ids[right])], mergedIDs[Int(rank)] == merged
        else { return }
        workspace.ids[position] = merged
        workspace.ids[right] = Self.mergedAway
        let after = workspace.next[right]
        workspace.next[position] = after
        if after < workspace.ids.count {
            workspace.previous[Int(after)] = candidate.position
            push(candidate.position, in: &workspace)
        }
        if workspace.previous[position] >= 0 { push(workspace.previous[position], in: &workspace) }
    }
}
