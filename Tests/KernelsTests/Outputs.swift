import Testing

/// Rows of floats with a gap behind each; what stands in the gaps must stay.
final class Outputs {
    let rows: Int
    let columns: Int
    let stride: Int
    private let memory: GuardedMemory
    private static let untouched: UInt32 = 0x7FC0_DEAD

    init(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
        stride = columns + 3
        memory = GuardedMemory([UInt32](repeating: Self.untouched, count: rows * stride))
    }

    var pointer: UnsafeMutablePointer<Float> { memory.floats }

    /// [rows * columns]
    var values: [Float] {
        (0..<rows).flatMap { row in (0..<columns).map { pointer[row * stride + $0] } }
    }

    var gapsUntouched: Bool {
        (0..<rows).allSatisfy { row in
            (columns..<stride).allSatisfy { pointer[row * stride + $0].bitPattern == Self.untouched }
        }
    }
}

/// Where two lists of floats differ in their bits; any NaN equals any other.
func firstDifference(_ left: [Float], _ right: [Float]) -> Int? {
    if left.count != right.count { return min(left.count, right.count) }
    return left.indices.first { index in
        left[index].bitPattern != right[index].bitPattern && !(left[index].isNaN && right[index].isNaN)
    }
}
