/// One layer's slots and tokens while a policy works on them. The tokens of an expert with replicas are split so that
/// the workers are as level as its holders allow, for that is what dispatch does with every batch; but a part of them
/// is split evenly, so that a batch that is unlike the mean of all finds some freedom left.
///
/// Rows are numbered expert x tensor + rank. Workers are numbered locally, 0..<workers. A worker's time is its tokens
/// over its speed; the measure of unevenness is the sum of tokens x time over the workers, least when all times are
/// equal.
struct LayerBalance {
    let position: Int
    let tensor: Int
    /// [workers]
    let speeds: [Double]
    /// [experts]
    let loads: [Double]
    /// [rows] the holders of each row, the preferred one first.
    private(set) var holders: [[Int]]
    /// [rows] the tokens of each holder.
    private(set) var shares: [[Double]]
    /// [workers] tokens.
    private(set) var work: [Double]
    private(set) var slotCount: Int

    init(position: Int, tensor: Int, speeds: [Double], loads: [Double], holders: [[Int]]) {
        self.position = position
        self.tensor = tensor
        self.speeds = speeds
        self.loads = loads
        self.holders = holders
        shares = holders.enumerated().map { row, holders in
            holders.map { _ in loads[row / tensor] / Double(holders.count) }
        }
        work = Array(repeating: 0, count: speeds.count)
        slotCount = holders.reduce(0) { $0 + $1.count }
        for row in holders.indices {
            for (place, worker) in holders[row].enumerated() { work[worker] += shares[row][place] }
        }
        level()
    }

    func time(_ worker: Int) -> Double { work[worker] / speeds[worker] }

    /// The slowest worker's time.
    var peak: Double { work.indices.reduce(0) { max($0, time($1)) } }

    /// Every worker's time if all were level.
    var even: Double { work.reduce(0, +) / speeds.reduce(0, +) }

    var unevenness: Double { work.indices.reduce(0) { $0 + work[$1] * time($1) } }

    func holdsExpert(row: Int, worker: Int) -> Bool {
        let first = row - row % tensor
        return (first..<first + tensor).contains { holders[$0].contains(worker) }
    }

    /// The worker gets no tokens of the row yet: call `level()` after a change.
    mutating func add(row: Int, worker: Int) {
        holders[row].append(worker)
        shares[row].append(0)
        slotCount += 1
        split(row)
    }

    mutating func remove(row: Int, worker: Int) {
        guard let place = holders[row].firstIndex(of: worker) else { return }
        work[worker] -= shares[row][place]
        holders[row].remove(at: place)
        shares[row].remove(at: place)
        slotCount -= 1
        split(row)
    }

    /// Splits the rows with replicas anew until nothing moves: each split is the best for what the others leave, and
    /// the measure is convex, so this ends at the most level split of all.
    mutating func level() {
        var last = unevenness
        for _ in 0..<Self.maximumSweeps {
            for row in holders.indices where holders[row].count > 1 { split(row) }
            let now = unevenness
            if now >= last * (1 - Self.settled) { return }
            last = now
        }
    }

    /// What the unevenness changes by when the row's holders change so and its tokens are split anew.
    func change(row: Int, adding: Int? = nil, removing: Int? = nil) -> Double {
        let fixed = fixedShare(row, count: holders[row].count + (adding == nil ? 0 : 1) - (removing == nil ? 0 : 1))
        let level = time(row: row, fixed: fixed, adding: adding, removing: removing)
        var change = 0.0
        for (place, worker) in holders[row].enumerated() {
            let base = work[worker] - shares[row][place]
            let new = worker == removing ? base : max(base + fixed, level * speeds[worker])
            change += (new * new - work[worker] * work[worker]) / speeds[worker]
        }
        if let adding {
            let new = max(work[adding] + fixed, level * speeds[adding])
            change += (new * new - work[adding] * work[adding]) / speeds[adding]
        }
        return change
    }

    private static let maximumSweeps = 40
    private static let settled = 1e-9
    /// The part of a row's tokens that its holders share evenly.
    private static let evenPart = 0.75

    private func fixedShare(_ row: Int, count: Int) -> Double {
        Self.evenPart * loads[row / tensor] / Double(max(1, count))
    }

    private mutating func split(_ row: Int) {
        let fixed = fixedShare(row, count: holders[row].count)
        let level = time(row: row, fixed: fixed, adding: nil, removing: nil)
        for (place, worker) in holders[row].enumerated() {
            let base = work[worker] - shares[row][place]
            let share = max(fixed, level * speeds[worker] - base)
            shares[row][place] = share
            work[worker] = base + share
        }
    }

    /// The time that the row's tokens fill its holders up to, those that are above it with their fixed share left out.
    private func time(row: Int, fixed: Double, adding: Int?, removing: Int?) -> Double {
        var level = Double.infinity
        while true {
            var tokens = loads[row / tensor] * (1 - Self.evenPart)
            var speed = 0.0
            for (place, worker) in holders[row].enumerated() where worker != removing {
                let base = work[worker] - shares[row][place] + fixed
                guard base < level * speeds[worker] else { continue }
                tokens += base
                speed += speeds[worker]
            }
            if let adding, work[adding] + fixed < level * speeds[adding] {
                tokens += work[adding] + fixed
                speed += speeds[adding]
            }
            guard speed > 0, tokens / speed < level else { return level }
            level = tokens / speed
        }
    }
}
