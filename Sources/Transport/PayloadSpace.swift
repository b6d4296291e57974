/// Which parts of a lane are free: payloads take room one after another, and it comes back in the same order. Begins at
/// the front again whenever nothing is taken, so that no more memory is touched than is used at once.
struct PayloadSpace {
    /// Parts begin at multiples of so many bytes.
    static let alignment = 64

    private let byteCount: Int
    /// In the order in which they were taken.
    private var taken: [Range<Int>] = []

    init(byteCount: Int) {
        self.byteCount = byteCount
    }

    /// - Returns: where so many bytes are free, which are taken then; nil: nowhere.
    mutating func take(_ count: Int) -> Int? {
        guard count <= byteCount, let start = start(of: max(count, 1)) else { return nil }
        taken.append(start..<start + max(count, 1))
        return start
    }

    /// Gives back the part that was taken last.
    mutating func giveLastBack() { taken.removeLast() }

    /// Gives back the `count` parts that were taken first.
    mutating func giveBack(_ count: Int) { taken.removeFirst(min(count, taken.count)) }

    private func start(of count: Int) -> Int? {
        guard let first = taken.first, let last = taken.last else { return 0 }
        let next = (last.upperBound + Self.alignment - 1) / Self.alignment * Self.alignment
        guard last.lowerBound >= first.lowerBound else {
            return next + count <= first.lowerBound ? next : nil
        }
        if next + count <= byteCount { return next }
        return count <= first.lowerBound ? 0 : nil
    }
}
