internal import Kernels

/// How far the rotary dimensions of a batch's rows turn. All layers of a pass turn the same way, so the first one finds
/// out for all.
final class Turns {
    /// [rows, rope dimension]
    private let values: AlignedBuffer<Float>
    private let dimension: Int
    private var positions: [Int] = []

    init(maximumRows: Int, dimension: Int) {
        values = AlignedBuffer(count: maximumRows * dimension)
        self.dimension = dimension
    }

    /// - Parameter rotary: the same for all batches.
    func prepare(_ batch: Batch, _ rotary: Rotary, _ processor: Processor) {
        guard !positions.elementsEqual(batch.rows.lazy.map(\.position)) else { return }
        positions.removeAll(keepingCapacity: true)
        positions.append(contentsOf: batch.rows.lazy.map(\.position))
        processor.team.forEach(batch.rowCount) { row in
            rotary.turn(at: batch.rows[row].position, into: values.pointer + row * dimension)
        }
    }

    /// [rope dimension] of a row
    func of(_ row: Int) -> UnsafePointer<Float> { UnsafePointer(values.pointer + row * dimension) }
}
