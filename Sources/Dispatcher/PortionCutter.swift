internal import Cluster

/// Cuts each worker's part of a batch into portions, half of what is left at a time: the first is sent at once, the
/// others go to whoever is done first. Only rows of the slot table that several workers hold are kept back. Kept from
/// batch to batch: nothing is allocated once it has grown.
struct PortionCutter {
    /// Tokens that cost as much as reading an expert's weights once.
    private let readingTokens: Int
    private let fewestReadings: Int
    /// [workers] portions of each worker behind the first.
    private(set) var laterCounts: [Int] = []
    /// [workers, rows] work of each worker's row: its pairs, and `readingTokens` if there are any.
    private var work: [Int32] = []
    /// [workers, rows] the portion that a row belongs to, 0 for the first.
    private var portions: [UInt8] = []
    private var rowCount = 0

    /// - Parameter fewestReadings: a portion of fewer experts' weights is not worth its frames.
    init(readingTokens: Int, fewestReadings: Int) {
        self.readingTokens = readingTokens
        self.fewestReadings = fewestReadings
    }

    /// - Parameters:
    ///   - chosen: [pairs, tensor] the worker of each pair.
    ///   - experts: [pairs]
    mutating func cut(_ chosen: [Int32], experts: UnsafePointer<Int32>, pairs: Int, table: SlotTable, workers: Int) {
        weigh(chosen, experts, pairs, table, workers)
        for worker in 0..<workers { cut(worker, table) }
    }

    func portion(of row: Int, worker: Int) -> Int { Int(portions[worker * rowCount + row]) }

    private mutating func weigh(
        _ chosen: [Int32], _ experts: UnsafePointer<Int32>, _ pairs: Int, _ table: SlotTable, _ workers: Int
    ) {
        rowCount = table.rowCount
        let size = workers * rowCount
        if work.count < size {
            work = Array(repeating: 0, count: size)
            portions = Array(repeating: 0, count: size)
        }
        if laterCounts.count != workers { laterCounts = Array(repeating: 0, count: workers) }
        for index in 0..<size { work[index] = 0 }
        for pair in 0..<pairs {
            for rank in 0..<table.tensor {
                let index =
                    Int(chosen[pair * table.tensor + rank]) * rowCount + Int(experts[pair]) * table.tensor + rank
                if work[index] == 0 { work[index] = Int32(readingTokens) }
                work[index] += 1
            }
        }
    }

    private mutating func cut(_ worker: Int, _ table: SlotTable) {
        let places = worker * rowCount..<(worker + 1) * rowCount
        let total = places.reduce(0) { $0 + Int(work[$1]) }
        let least = max(total / Self.smallestPart, fewestReadings * (readingTokens + 1))
        let isDivisible = { (place: Int) in
            let row = place - places.lowerBound
            return table.starts[row + 1] - table.starts[row] > 1
        }
        var portion = 0
        var taken = 0
        for place in places where !isDivisible(place) {
            portions[place] = 0
            taken += Int(work[place])
        }
        var end = Self.next(after: 0, of: total, least: least)
        for place in places where work[place] > 0 && isDivisible(place) {
            if taken >= end {
                portion += 1
                end = Self.next(after: taken, of: total, least: least)
            }
            portions[place] = UInt8(portion)
            taken += Int(work[place])
        }
        laterCounts[worker] = portion
    }

    /// Where the portion ends that begins at `taken`: half-way to the total, if that leaves enough on both sides.
    private static func next(after taken: Int, of total: Int, least: Int) -> Int {
        let end = taken + max((total - taken) / 2, least)
        return total - end < least ? total : end
    }

    /// The smallest portion's part of a worker's work.
    private static let smallestPart = 24
}
