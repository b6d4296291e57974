extension PlacementDraft {
    /// Levels all layers step by step, the most valuable step of any layer first, until none gains, the layers are
    /// level or the budget is used up.
    /// - Parameters:
    ///   - budget: bytes that may move.
    ///   - target: the one worker that may get slots; nil: all.
    ///   - tolerance: a layer whose slowest worker is no more than this share above the mean is level.
    mutating func level(budget: inout Int, onlyTo target: Int? = nil, tolerance: Double) {
        var next = layers.indices.map { best($0, onlyTo: target, tolerance: tolerance, except: []) }
        var rejected = [[SlotMove]](repeating: [], count: layers.count)
        while let position = mostValuable(next) {
            let move = best(position, onlyTo: target, tolerance: tolerance, except: rejected[position])
            guard let move, let old = next[position], move.gain >= old.gain * Self.sameGain else {
                next[position] = move
                continue
            }
            let bytes = move.changes.reduce(0) { $1.isFill ? $0 + byteCount($1.place, position: position) : $0 }
            if bytes <= budget, make(move, position: position) {
                budget -= bytes
                rejected[position] = []
            } else {
                rejected[position].append(move)
                if rejected[position].count > Self.maximumRejections {
                    next[position] = nil
                    continue
                }
            }
            next[position] = best(position, onlyTo: target, tolerance: tolerance, except: rejected[position])
        }
    }

    private static let maximumRejections = 40
    private static let sameGain = 0.999
    /// A step that shrinks the unevenness by less than this share of the least possible is not worth its bytes.
    private static let leastGain = 1e-6

    private func best(
        _ position: Int, onlyTo target: Int?, tolerance: Double, except rejected: [SlotMove]
    ) -> SlotMove? {
        let layer = layers[position]
        let even = layer.even
        guard layer.peak > even * (1 + tolerance) else { return nil }
        guard var move = search(position, onlyTo: target).best(layer, except: rejected) else { return nil }
        move.gain /= even * even * layer.speeds.reduce(0, +)
        return move.gain > Self.leastGain ? move : nil
    }

    private func mostValuable(_ moves: [SlotMove?]) -> Int? {
        var best: Int?
        for (position, move) in moves.enumerated() {
            guard let move else { continue }
            if move.gain > best.flatMap({ moves[$0]?.gain }) ?? 0 { best = position }
        }
        return best
    }
}
