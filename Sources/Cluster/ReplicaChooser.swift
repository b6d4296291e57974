/// Chooses for every (token, expert, rank) of a batch one of the workers that hold it, so that the workers are done at
/// the same time. Of workers that would be done at the same time the one goes first that had less in earlier batches.
/// Kept from batch to batch: nothing is allocated once it has grown.
///
/// Rows with one holder are settled first. The tokens of each row with replicas are then poured on its holders like
/// water, a few times over all such rows, and handed out token by token, to a worker that gets the token anyway where
/// one of the holders is one: a token's vector goes to each worker once. A row with few tokens is not divided: each
/// worker that gets some of them reads all weights of the expert.
package struct ReplicaChooser: Sendable {
    /// [workers] tokens per unit of time.
    package let speeds: [Float]
    /// [workers] pairs given to each worker in the last batch.
    package private(set) var loads: [Int32]
    /// Tokens that cost as much as reading an expert's weights once.
    private let readingTokens: Int32
    /// [workers] pairs of the last batch, and `readingTokens` for each expert that is read for them.
    private var work: [Int32]
    /// [workers] what each worker had in earlier batches above the least of them, in units of time, fading.
    private var past: [Float]
    /// [rows] tokens of each row.
    private var counts: [Int32] = []
    /// [holders of the table] tokens that each holder of a row is to get.
    private var quotas: [Int32] = []
    /// Rows with replicas that have tokens, ascending.
    private var split: [Int32] = []
    /// [workers] the last token, counted from 1, that goes to the worker.
    private var visited: [Int32]

    /// - Parameters:
    ///   - speeds: [workers], positive, in any unit.
    ///   - readingTokens: tokens that cost a worker as much as reading an expert's weights once; 0: the pairs alone
    ///     are to be level.
    package init(speeds: [Double], readingTokens: Int = 0) {
        precondition(speeds.allSatisfy { $0 > 0 && $0.isFinite }, "speeds are positive")
        self.readingTokens = Int32(readingTokens)
        work = Array(repeating: 0, count: speeds.count)
        self.speeds = speeds.map(Float.init)
        loads = Array(repeating: 0, count: speeds.count)
        past = Array(repeating: 0, count: speeds.count)
        visited = Array(repeating: 0, count: speeds.count)
    }

    /// - Parameters:
    ///   - experts: [tokens, expertsPerToken]
    ///   - workers: [tokens, expertsPerToken, tensor], receives the worker of each pair.
    package mutating func choose(
        experts: UnsafePointer<Int32>, tokens: Int, expertsPerToken: Int, table: SlotTable,
        into workers: UnsafeMutablePointer<Int32>
    ) {
        begin(table)
        let pairs = UnsafeBufferPointer(start: experts, count: tokens * expertsPerToken)
        count(pairs, table)
        pour(table)
        for token in 0..<tokens {
            let first = token * expertsPerToken
            hand(
                token: Int32(token + 1), UnsafeBufferPointer(rebasing: pairs[first..<first + expertsPerToken]), table,
                into: workers + first * table.tensor)
        }
        remember()
    }

    /// How often all rows with replicas are poured anew: after a few times hardly a token moves.
    private static let maximumSweeps = 16
    /// So many times as many tokens as cost what a reading does, and dividing a row costs next to nothing.
    private static let divisibleReadings: Int32 = 8

    /// How much of the past is kept from batch to batch.
    private static let kept: Float = 0.99

    private mutating func remember() {
        var least = Float.infinity
        for worker in loads.indices {
            past[worker] = past[worker] * Self.kept + Float(work[worker]) / speeds[worker]
            least = min(least, past[worker])
        }
        for worker in loads.indices { past[worker] -= least }
    }

    private mutating func begin(_ table: SlotTable) {
        for worker in loads.indices {
            loads[worker] = 0
            work[worker] = 0
            visited[worker] = 0
        }
        if counts.count != table.rowCount { counts = Array(repeating: 0, count: table.rowCount) }
        if quotas.count < table.holders.count { quotas = Array(repeating: 0, count: table.holders.count) }
        split.removeAll(keepingCapacity: true)
    }

    private mutating func count(_ pairs: UnsafeBufferPointer<Int32>, _ table: SlotTable) {
        for row in counts.indices { counts[row] = 0 }
        let tensor = table.tensor
        counts.withUnsafeMutableBufferPointer { counts in
            for expert in pairs { counts[Int(expert) * tensor] += 1 }
        }
        for row in counts.indices {
            let tokens = counts[row - row % tensor]
            if tokens == 0 { continue }
            counts[row] = tokens
            let (start, end) = (Int(table.starts[row]), Int(table.starts[row + 1]))
            if end - start == 1 {
                give(tokens, reading: readingTokens, to: Int(table.holders[start]))
            } else {
                for place in start..<end { quotas[place] = 0 }
                split.append(Int32(row))
            }
        }
    }

    private mutating func pour(_ table: SlotTable) {
        let divisible = Self.divisibleReadings * readingTokens
        for _ in 0..<Self.maximumSweeps {
            var moved = false
            for row in split.lazy.map(Int.init) {
                if counts[row] < divisible ? place(row: row, table) : pour(row: row, table) { moved = true }
            }
            if !moved { return }
        }
    }

    /// Gives all tokens of a row to one of its holders.
    /// - Returns: whether that is another one than before.
    private mutating func place(row: Int, _ table: SlotTable) -> Bool {
        let places = Int(table.starts[row])..<Int(table.starts[row + 1])
        let before = places.first { quotas[$0] > 0 }
        if let before {
            give(-counts[row], reading: -readingTokens, to: Int(table.holders[before]))
            quotas[before] = 0
        }
        let best = soonest(places, table, staying: before)
        give(counts[row], reading: readingTokens, to: Int(table.holders[best]))
        quotas[best] = counts[row]
        return best != before
    }

    private mutating func give(_ tokens: Int32, reading: Int32 = 0, to worker: Int) {
        loads[worker] += tokens
        work[worker] += tokens + reading
    }

    /// - Returns: whether any holder's share changed.
    private mutating func pour(row: Int, _ table: SlotTable) -> Bool {
        let places = Int(table.starts[row])..<Int(table.starts[row + 1])
        let level = level(places, tokens: counts[row], table)
        var rest = counts[row]
        var moved: Int32 = 0
        for place in places {
            let worker = Int(table.holders[place])
            give(-quotas[place], to: worker)
            let share = min(rest, max(0, Int32(level * speeds[worker]) - work[worker]))
            moved |= share ^ quotas[place]
            rest -= share
            quotas[place] = share
            give(share, to: worker)
        }
        guard rest > 0 else { return moved != 0 }
        while rest > 0 {
            let place = soonest(places, table)
            quotas[place] += 1
            give(1, to: Int(table.holders[place]))
            rest -= 1
        }
        return true
    }

    /// The time up to which `tokens` fill the workers of these places, what the row has there left out.
    private func level(_ places: Range<Int>, tokens: Int32, _ table: SlotTable) -> Float {
        var level = Float.infinity
        while true {
            var sum = Float(tokens)
            var speed: Float = 0
            for place in places {
                let worker = Int(table.holders[place])
                let base = Float(work[worker] - quotas[place])
                guard base < level * speeds[worker] else { continue }
                sum += base
                speed += speeds[worker]
            }
            guard speed > 0, sum / speed < level else { return level }
            level = sum / speed
        }
    }

    /// The place whose worker is done first with one token more, of equals `staying`, else the one with the smaller
    /// past.
    private func soonest(_ places: Range<Int>, _ table: SlotTable, staying: Int? = nil) -> Int {
        var best = places.lowerBound
        var least = (time: Float.infinity, past: Float.infinity)
        for place in places {
            let worker = Int(table.holders[place])
            let time = Float(work[worker] + 1) / speeds[worker]
            let past = place == staying ? -1 : past[worker]
            if time < least.time || (time == least.time && past < least.past) {
                (best, least) = (place, (time, past))
            }
        }
        return best
    }

    /// Gives out the pairs of one token.
    private mutating func hand(
        token: Int32, _ experts: UnsafeBufferPointer<Int32>, _ table: SlotTable,
        into workers: UnsafeMutablePointer<Int32>
    ) {
        var isSplit = false
        for (slot, expert) in experts.enumerated() {
            for rank in 0..<table.tensor {
                let row = Int(expert) * table.tensor + rank
                let worker = table.primary[row]
                workers[slot * table.tensor + rank] = worker
                if table.starts[row + 1] - table.starts[row] == 1 {
                    visited[Int(worker)] = token
                } else {
                    isSplit = true
                }
            }
        }
        guard isSplit else { return }
        for (slot, expert) in experts.enumerated() {
            for rank in 0..<table.tensor {
                let row = Int(expert) * table.tensor + rank
                let places = Int(table.starts[row])..<Int(table.starts[row + 1])
                if places.count == 1 { continue }
                let place = takePlace(places, token: token, table)
                workers[slot * table.tensor + rank] = table.holders[place]
                visited[Int(table.holders[place])] = token
            }
        }
    }

    private mutating func takePlace(_ places: Range<Int>, token: Int32, _ table: SlotTable) -> Int {
        var best = places.lowerBound
        var most: Int32 = 0
        for place in places where quotas[place] > 0 {
            if visited[Int(table.holders[place])] == token {
                best = place
                break
            }
            if quotas[place] > most { (best, most) = (place, quotas[place]) }
        }
        quotas[best] -= 1
        return best
    }
}
