/// Dealing out whole things in proportion to weights, with stable ties.
package enum Apportionment {
    /// Parts that add up to `total`, each within one of its exact share unless `atLeast` lifts it, at the largest
    /// part's cost. Equal remainders go to the lower index.
    package static func byLargestRemainder(_ total: Int, weights: [Double], atLeast: Int = 0) -> [Int] {
        precondition(total >= weights.count * atLeast, "not enough to give every part its least")
        let sum = weights.reduce(0, +)
        let exact = weights.map { Double(total) * ($0 / sum) }
        var parts = exact.map { Int($0.rounded(.down)) }
        let byRemainder = parts.indices.sorted { left, right in
            let (one, other) = (exact[left] - Double(parts[left]), exact[right] - Double(parts[right]))
            return one == other ? left < right : one > other
        }
        for index in byRemainder.prefix(total - parts.reduce(0, +)) { parts[index] += 1 }
        while let poor = parts.firstIndex(where: { $0 < atLeast }), let most = parts.max(),
            let rich = parts.firstIndex(of: most)
        {
            parts[rich] -= 1
            parts[poor] += 1
        }
        return parts
    }

    /// Shares of a stage's slices, adding up to one, none above 1 / tensor, for a worker holds at most one slice of an
    /// expert. What is cut off a worker goes to the others in proportion to their weights.
    package static func cappedShares(weights: [Double], tensor: Int) -> [Double] {
        precondition(weights.count >= tensor, "fewer workers than slices of an expert")
        let cap = 1 / Double(tensor)
        var isCapped = weights.map { _ in false }
        while true {
            let capped = isCapped.count { $0 }
            let rest = zip(weights, isCapped).reduce(0) { $1.1 ? $0 : $0 + $1.0 }
            let left = 1 - cap * Double(capped)
            let shares = zip(weights, isCapped).map { $1 ? cap : left * ($0 / rest) }
            let above = shares.indices.filter { !isCapped[$0] && shares[$0] > cap }
            if above.isEmpty || capped + above.count >= weights.count { return shares.map { min($0, cap) } }
            for index in above { isCapped[index] = true }
        }
    }
}
